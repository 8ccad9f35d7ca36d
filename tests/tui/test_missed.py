"""What an answer had to do without, as it is told."""

from __future__ import annotations

from core.twin.protocol import NO_RECEIPTS
from tui.missed import missed_lines


def test_memories_are_counted_by_their_reasons_and_receipts_are_no_memories() -> None:
    assert missed_lines(["kept here", f"{NO_RECEIPTS}: it does not load", "kept here", "refused"]) == [
        "without 2 memories: kept here",
        "without receipts: it does not load",
        "without 1 memory: refused",
    ]
