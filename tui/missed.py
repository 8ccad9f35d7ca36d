"""What an answer had to do without, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tui.safe_text import safe_line


def missed_lines(reasons: Sequence[str]) -> list[str]:
    """A line for each reason why a model gave no memory, or why there are no receipts."""
    # Imported here: a screen needs none of it before there is an answer.
    from core.twin.protocol import NO_RECEIPTS

    return [
        safe_line(reason)
        if reason.startswith(NO_RECEIPTS)
        else f"without {count} {'memory' if count == 1 else 'memories'}: {safe_line(reason)}"
        for reason, count in Counter(reasons).items()
    ]
