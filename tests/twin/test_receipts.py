"""Private words are never said word for word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.twin.receipts import WITHHELD, PrivateWords

SECRET = "the spare key of the Chart Room hangs behind the third cask on the left"


def test_a_long_run_of_private_words_is_withheld_and_the_rest_stays() -> None:
    private = PrivateWords([SECRET], 8)
    said = "Put it this way: the spare key of the Chart Room hangs behind the third cask, and I mind it."
    assert private.redact(said) == f"Put it this way: {WITHHELD}, and I mind it."


def test_eight_words_may_be_said_and_nine_may_not() -> None:
    private = PrivateWords([SECRET], 8)
    words = SECRET.split()
    assert private.redact(" ".join(words[:8])) == " ".join(words[:8])
    assert private.redact(" ".join(words[:9])) == WITHHELD


def test_case_and_punctuation_do_not_hide_a_run() -> None:
    private = PrivateWords([SECRET], 8)
    assert private.redact("The SPARE key, of the chart room, hangs: behind the third cask") == WITHHELD


@given(st.text(max_size=200))
def test_without_private_words_nothing_changes(text: str) -> None:
    assert PrivateWords([], 8).redact(text) == text


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=9, max_size=40))
def test_no_run_of_nine_private_words_is_left(words: list[str]) -> None:
    private = PrivateWords([" ".join(words)], 8)
    assert private.redact(" ".join(words)) == WITHHELD
