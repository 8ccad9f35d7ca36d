"""The gate for outside text: nothing that acts gets through, everything that reads stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.safe_text import is_hidden, safe, safe_line

ACTING = [
    "\x1b[31m", "\x1b]52;c;aGk=\x07", "\x9b2J", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800",
    "\U000e0041", "\r", "\x00", "\ufeff", "\u2065", "\ufff3", "\U0001bca0", "\U0001d173", "\U000e0fff",
]  # fmt: skip


@pytest.mark.parametrize("acting", ACTING)
def test_what_acts_becomes_a_mark(acting: str) -> None:
    shown = safe(f"a{acting}b")
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cn", "Cs", "Zl", "Zp") for character in shown)
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


CHARACTERS = st.characters() | st.sampled_from("\x1b\x07\x9b\u202e\u200b\u200c\u200d\ufe0f\ud800\U000e0041\r\n\t👩می")
TEXTS = st.text(CHARACTERS)


@given(TEXTS)
def test_once_is_enough(text: str) -> None:
    assert safe(safe(text)) == safe(text)
    assert safe_line(safe_line(text)) == safe_line(text)
    assert not is_hidden(safe(text))


@given(TEXTS)
def test_no_format_character_is_left_but_joiners_and_those_that_are_drawn(text: str) -> None:
    drawn = {chr(code) for span in (range(0x600, 0x606), range(0x13430, 0x13440)) for code in span}
    drawn |= set("\u200c\u200d\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
    left = {each for each in safe(text) if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left <= drawn | set("\n\t")


@given(TEXTS)
def test_a_text_is_changed_only_where_something_acts(text: str) -> None:
    if not is_hidden(text):
        assert safe(text) == text
    text = text.replace("\r\n", "\n")
    assert len(safe(text)) == len(text)
    assert all(after == before or is_hidden(before) for before, after in zip(text, safe(text), strict=True))


@given(st.text(st.sampled_from("\u200c\u200d\ufe0e\ufe0f\U000e0100👩👧❤می‌خواهشלום🇮🇷\U0001f3fd")))
def test_joiners_variation_selectors_and_what_they_join_stay(text: str) -> None:
    assert safe(text) == text


@given(TEXTS)
def test_a_line_is_one_line(text: str) -> None:
    assert len(safe_line(text).splitlines()) <= 1
