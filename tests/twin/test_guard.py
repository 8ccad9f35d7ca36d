"""Private words are never shown word for word, however the answer comes in pieces."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.twin.guard import CHARACTERS, WITHHELD, Shown, Withheld
from core.twin.words import words_of

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
SECRET = "the spare key of the Chart Room hangs behind the third cask on the left"
CHINESE = "备用钥匙挂在海图室左边第三个木桶的后面,只有我和我的弟弟知道这件事。"
FRENCH = "La clé de la vieille forêt est cachée derrière l'église où mon frère dort."


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


@pytest.mark.parametrize("slanted", ["_{}_", "__{}__", "*{}*", "so_{}_it"])
@pytest.mark.parametrize("text", [SECRET, FRENCH])
def test_slanted_words_are_the_same_words(text: str, slanted: str) -> None:
    said = " ".join(text.split()[:8])
    assert Withheld([text], 8).redact(slanted.format(said)) == slanted.format(WITHHELD)
    assert Withheld([slanted.format(text)], 8).redact(said) == WITHHELD
    assert Withheld([text], 8).redact(slanted.format(said).replace(" ", "_")) == slanted.format(WITHHELD)


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


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("kept", ["NFC", "NFD"])
def test_the_form_in_which_letters_are_stored_does_not_hide_a_run(form: Form, kept: Form) -> None:
    withheld = Withheld([unicodedata.normalize(kept, FRENCH)], 8)
    said = unicodedata.normalize(form, f"Voilà : {FRENCH} Été.")
    first, rest = unicodedata.normalize(form, "Voilà : "), unicodedata.normalize(form, ". Été.")
    assert withheld.redact(said) == f"{first}{WITHHELD}{rest}"


@pytest.mark.parametrize("hidden", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff", "\ufe0f", "\u034f"])
def test_what_cannot_be_seen_within_words_does_not_hide_a_run(hidden: str) -> None:
    said = " ".join(f"{word[:2]}{hidden}{word[2:]}" for word in SECRET.split())
    assert Withheld([SECRET], 8).redact(f"So: {said}. Yes.") == f"So: {WITHHELD}. Yes."
    assert Withheld([said], 8).redact(f"So: {SECRET}. Yes.") == f"So: {WITHHELD}. Yes."


def test_wide_letters_and_ligatures_do_not_hide_a_run() -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in SECRET)
    assert Withheld([SECRET], 8).redact(wide) == WITHHELD
    assert Withheld(["fine fish find five figs first of all"], 8).redact("ﬁne ﬁsh ﬁnd ﬁve ﬁgs ﬁrst of all") == WITHHELD


def test_without_spaces_a_run_is_counted_in_characters() -> None:
    most = 8 * CHARACTERS
    withheld = Withheld([CHINESE], 8)
    assert withheld.redact(f"我说{CHINESE[:most]}。") == f"我说{WITHHELD}。"
    assert withheld.redact(f"我说{CHINESE[: most - 1]}。") == f"我说{CHINESE[: most - 1]}。"
    assert withheld.redact("备用钥匙在哪里?我不知道。") == "备用钥匙在哪里?我不知道。"


@pytest.mark.parametrize("text", [
    "กุญแจสำรองแขวนอยู่หลังถังใบที่สามทางซ้ายของห้องแผนที่", "予備の鍵は海図室の左から三番目の樽の後ろに掛かっています",
    "ກະແຈສຳຮອງແຂວນຢູ່ຫຼັງຖັງທີສາມທາງຊ້າຍ", "សោបម្រុងព្យួរនៅខាងក្រោយធុងទីបីខាងឆ្វេង",
    "အပိုသော့ကို တတိယစည်ပိုင်းနောက်မှာ ချိတ်ထားတယ်လို့ ကျွန်တော်ပြောခဲ့တယ်",
])  # fmt: skip
def test_other_scripts_without_spaces_are_guarded_too(text: str) -> None:
    said = unicodedata.normalize("NFD", text)
    assert Withheld([text], 8).redact(f"{said}. Yes.") == f"{WITHHELD}. Yes."


def test_a_phrase_is_found_where_no_space_sets_it_apart() -> None:
    assert Withheld([], 8, ["海图室"]).redact("钥匙在海图室里。") == f"钥匙在{WITHHELD}里。"


def _spaced(said: list[str]) -> str:
    return "".join(f"{word}{', ' if place % 3 else ''}" for place, word in enumerate(said))


words = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "é",
            "e\u0301",
            "\u0301",
            "海",
            "图室",
            "か\u3099",
            "が",
            "น้ำ",
            "น้\u0e4dา",
            "a\u00adb",
            "ab",
            "_a_",
            "a_b",
        ]
    ),
    max_size=40,
)
"""With the same letters in several forms, and a mark that joins whatever comes before it."""


@given(words, words, st.integers(2, 5), st.randoms())
def test_in_any_pieces_the_same_is_shown_and_no_private_run_is_left(
    private: list[str], said: list[str], longest: int, chance: object
) -> None:
    withheld = Withheld([_spaced(private)], longest, [" ".join(private[:2])])
    text = _spaced(said) + "." * len(said)
    whole = withheld.redact(text)
    assert isinstance(chance, __import__("random").Random)
    cuts = sorted(chance.choices(range(len(text) + 1), k=6))
    pieces = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(_streamed(withheld, pieces)) == whole
    at = 0
    for stretch in whole.split(WITHHELD):
        assert not any(withheld.marked([word.text for word in words_of(stretch)]))
        at = text.index(stretch, at) + len(stretch)


@given(words, st.integers(2, 5))
def test_what_is_not_private_is_shown_letter_by_letter_as_it_was(said: list[str], longest: int) -> None:
    withheld = Withheld(["x y z x y z x y z"], longest)
    text = " ".join(said)
    assert "".join(_streamed(withheld, list(text))) == text
