"""Private words are never shown word for word, however the answer comes in pieces."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from core.twin.guard import WITHHELD, Shown, Withheld

SECRET = "the spare key of the Chart Room hangs behind the third cask on the left"


def _streamed(withheld: Withheld, pieces: list[str]) -> list[str]:
    stream = Shown(withheld)
    return [*(stream.feed(piece) for piece in pieces), stream.end()]


def test_a_long_run_of_private_words_is_withheld_and_the_rest_stays() -> None:
    said = "Put it this way: the spare key of the Chart Room hangs behind the third cask, and I mind it."
    assert Withheld([SECRET], 8).redact(said) == f"Put it this way: {WITHHELD}, and I mind it."


def test_seven_words_may_be_said_and_eight_may_not() -> None:
    words = SECRET.split()
    assert Withheld([SECRET], 8).redact(" ".join(words[:7])) == " ".join(words[:7])
    assert Withheld([SECRET], 8).redact(" ".join(words[:8])) == WITHHELD


def test_case_and_punctuation_do_not_hide_a_run() -> None:
    assert Withheld([SECRET], 8).redact("The SPARE key, of the chart room, hangs: behind the third cask") == WITHHELD


def test_what_was_never_to_be_said_is_withheld_however_short() -> None:
    withheld = Withheld([], 8, ["as an AI", "Pell"])
    assert withheld.redact("As an AI, I like Pell. Pelling is a word.") == (
        f"{WITHHELD}, I like {WITHHELD}. Pelling is a word."
    )


def test_words_are_shown_as_soon_as_they_cannot_begin_a_run() -> None:
    shown = _streamed(Withheld([SECRET], 3), ["one ", "two ", "three ", "four ", "five"])
    assert shown == ["", "", "", "one ", "two ", "three four five"]


def test_without_anything_to_withhold_every_piece_is_shown_at_once() -> None:
    assert _streamed(Withheld([], 8), ["a", "", " b"]) == ["a", "", " b", ""]


@given(st.text(max_size=200))
def test_without_private_words_nothing_changes(text: str) -> None:
    assert Withheld([], 8).redact(text) == text


words = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=40)


@given(words, words, st.integers(2, 5), st.randoms())
def test_in_any_pieces_the_same_is_shown_and_no_private_run_is_left(
    private: list[str], said: list[str], longest: int, chance: object
) -> None:
    withheld = Withheld([" ".join(private)], longest)
    text = ", ".join(said) + "." * len(said)
    whole = withheld.redact(text)
    assert isinstance(chance, __import__("random").Random)
    cuts = sorted(chance.choices(range(len(text) + 1), k=6))
    pieces = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(_streamed(withheld, pieces)) == whole
    for stretch in whole.split(WITHHELD):
        left = re.findall(r"\w+", stretch)
        assert not any(withheld.marked(left))


@given(words, st.integers(2, 5))
def test_what_is_not_private_is_shown_letter_by_letter_as_it_was(said: list[str], longest: int) -> None:
    withheld = Withheld(["x y z x y z x y z"], longest)
    text = " ".join(said)
    assert "".join(_streamed(withheld, list(text))) == text
