"""The gate for outside text: nothing that acts gets through, everything that reads stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.safe_text import is_hidden, safe, safe_line

ACTING = [
    "\x1b[31m", "\x1b]52;c;aGk=\x07", "\x9b2J", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800",
    "\U000e0041", "\r", "\x00", "\ufeff",
]  # fmt: skip


@pytest.mark.parametrize("acting", ACTING)
def test_what_acts_becomes_a_mark(acting: str) -> None:
    shown = safe(f"a{acting}b")
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)
    assert is_hidden(acting)


@pytest.mark.parametrize("text", ["👩‍👩‍👧‍👦 ❤️", "می‌خواهم", "שלום עולם", "naïve café", "日本語", "tabs\tand\nlines"])
def test_what_reads_stays(text: str) -> None:
    assert safe(text) == text
    assert not is_hidden(text)


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = safe(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in shown)
    assert "\n" not in safe_line(text)
    shown.encode()
