"""Short secrets of texts that may only be recalled: found however they are written, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.twin.guard import WITHHELD, Shown, Withheld
from core.twin.secrets import Secrets

PRIVATE = (
    "Put here because I will not remember it: Kittiwake 7304. Hob chose the bird.",
    "A slip of card with a name and a date: Corrie Ashdown, 14 June 1971. No more than that.",
    "The key hangs behind the Ostrander tables now, nail 9. I owe Mags 385 pounds.",
    "He calls me Pintle Nineteen. I took it to Quillan and Frost, locker 2817.",
    "It was Ximo who wrote sun_two_9x and oh_sun_9x on the map.",
)
SAID = ("Hob and Mags were there in 1971, and Tobias had nine nails.", "I was nineteen, and slept in bed 14.")
RARE = {"kittiwake", "corrie", "ashdown", "ostrander", "pintle", "quillan", "ximo"}


@pytest.fixture(scope="module")
def withheld() -> Withheld:
    return Withheld(PRIVATE, 8, (), Secrets(PRIVATE, SAID, lambda word: word not in RARE))


@pytest.mark.parametrize(
    "written",
    [
        "Kittiwake 7304", "KITTIWAKES", "K-i-t-t-i-w-a-k-e", "k i t t i w a k e", "K_i_t_t_i_w_a_k_e", "ekawittik",
        "Kitti wake", "Kittíwake", "Кittiwake", "Kit\u200btiwake", "7,304", "7-3-0-4", "seven three oh four", "4037",
        "seventy-three oh four", "seven thousand three hundred and four", "S2l0dGl3YWtlIDczMDQ", "Corrie Ashdown",
        "14 June", "June the fourteenth", "1971-06-14", "14/6/71", "fourteenth of June nineteen seventy-one",
        "nail 9", "nail number nine", "three hundred and eighty-five", "pintle 19", "quillan and frost", "2817",
        "nail_9", "14_June", "Corrie_Ashdown", "seven_three_oh_four",
        "Kitti\u0301wake", "K\u20ddi\u20ddt\u20ddt\u20ddiwake", "Kitti\u00adwake",
    ],
)  # fmt: skip
def test_a_secret_is_withheld_however_it_is_written(withheld: Withheld, written: str) -> None:
    assert withheld.redact(f"It is {written}, I think.") == f"It is {WITHHELD}, I think."


@pytest.mark.parametrize(
    "said",
    [
        "Hob and Mags were there in 1971.", "I was nineteen and had nine nails.", "Frost on the window, and a bird.",
        "There were four of us, one to a bed, in June.", "It cost 38 pounds.", "I sleep in bed 14.", "I did. I do.",
    ],
)  # fmt: skip
def test_ordinary_words_and_what_may_be_said_pass(withheld: Withheld, said: str) -> None:
    assert withheld.redact(said) == said


@pytest.mark.parametrize("name", ["Adék\u1ecd\u0301lá", "Ade\u0301ko\u0323\u0301la\u0301", "Adé\u00adk\u1ecd\u0301lá"])
def test_a_name_is_a_secret_in_every_form_of_its_letters(name: str) -> None:
    texts = [f"The letter is with {name} in the mill, and it stays there."]
    withheld = Withheld(texts, 8, (), Secrets(texts, (), lambda word: not word.startswith("ade")))
    for written in ("Adék\u1ecd\u0301lá", "Ade\u0301ko\u0323\u0301la\u0301", "Adekola", "ADÉKỌLÁ"):
        assert withheld.redact(f"Ask {written} for it.") == f"Ask {WITHHELD} for it."


@pytest.mark.parametrize("kept", ["Look for _Kittiwake_.", "Ask for __Kittiwake 7304__.", "It is kittiwake_7304."])
def test_what_is_slanted_in_a_private_text_is_a_secret_too(kept: str) -> None:
    secrets = Secrets([kept], (), lambda word: word not in RARE)
    withheld = Withheld([kept], 8, (), secrets)
    named = "Kittiwake 7304" if "7304" in kept else "Kittiwake"
    assert withheld.redact(f"It is _{named}_, I think.") == f"It is _{WITHHELD}_, I think."


def test_a_password_with_an_underscore_is_a_secret_as_a_whole() -> None:
    kept = "The word is Sea_gull7, and I change it in May."
    withheld = Withheld([kept], 8, (), Secrets([kept], (), lambda word: True))
    for written in ("Sea_gull7", "seagull7", "sea gull7"):
        assert withheld.redact(f"It is {written}, I think.") == f"It is {WITHHELD}, I think."


@pytest.mark.parametrize("code", ["player_one_77", "sunny_two_9x", "user_1st_77", "oh_dear_42", "k_7_k3"])
def test_a_name_with_number_words_in_it_is_a_secret_as_a_whole(code: str) -> None:
    kept = f"I go in as {code} there."
    withheld = Withheld([kept], 8, (), Secrets([kept], (), lambda word: True))
    for written in (code, code.upper(), code.replace("_", "__"), code.replace("_", ""), code.replace("_", " "),
                    f"_{code}_"):  # fmt: skip
        shown = f"It is {WITHHELD}, I think."
        assert withheld.redact(f"It is {written}, I think.").replace("_", "") == shown


@pytest.mark.parametrize("code", ["47_11", "__47__11__", "1_2_3"])
def test_figures_that_underscores_join_are_one_secret_number(code: str) -> None:
    withheld = Withheld([], 8, (), Secrets([f"The pin is {code} there."], (), lambda word: True))
    for written in (code, code.replace("_", ""), code.strip("_").replace("_", " ")):
        assert withheld.redact(f"It is {written}, I think.").replace("_", "") == f"It is {WITHHELD}, I think."


def test_a_code_of_two_characters_is_a_secret_where_there_is_no_other() -> None:
    withheld = Withheld([], 8, (), Secrets(["The locker is k7 there."], (), lambda word: True))
    assert withheld.redact("It is k7, I think.") == f"It is {WITHHELD}, I think."


@pytest.mark.parametrize("written", ["X_i_m_o", "Xi_mo", "_x_i_m_o_", "X_\u200bi__m_o", "XI_M_O"])
def test_a_short_name_is_a_secret_where_underscores_part_its_letters(written: str) -> None:
    kept = "I saw Ximo by the sheds, and the spare one is k7."
    withheld = Withheld([kept], 8, (), Secrets([kept], (), lambda word: word != "ximo"))
    assert withheld.redact(f"It is {written}, I think.").replace("_", "") == f"It is {WITHHELD}, I think."
    assert withheld.redact("It is k_7, I think.") == f"It is {WITHHELD}, I think."
    for passes in ("xi mo", "x, i, m o", "max_i_moved"):
        assert withheld.redact(f"It is {passes}, I think.") == f"It is {passes}, I think."


@pytest.mark.parametrize("written", ["kitti_wakes", "my_kitti_wake", "my_kit_ti_wakes", "Corrie_Ash_downs"])
def test_a_secret_of_five_letters_is_found_anywhere_in_what_underscores_join(withheld: Withheld, written: str) -> None:
    assert WITHHELD in withheld.redact(f"It is {written}, I think.")


@pytest.mark.parametrize("handle", ["His handle is @quillan_frost there.", "See img_quillan.jpg.", "So img__quillan."])
def test_a_name_stays_a_secret_where_it_is_a_part_of_an_identifier_too(handle: str) -> None:
    kept = f"Yesterday I met Quillan Frost at the harbor. Quillan wept. {handle}"
    withheld = Withheld([kept], 8, (), Secrets([kept], (), lambda word: word != "quillan"))
    said = "It was Quillan who wept, Quillan Frost that is."
    assert withheld.redact(said) == f"It was {WITHHELD} who wept, {WITHHELD} that is."


def test_a_name_of_several_words_stays_a_secret_where_an_identifier_that_may_be_said_has_them() -> None:
    kept, said = "Yesterday I met Quillan Frost at the harbor.", "Look in see_quillan_frost.jpg for it."
    withheld = Withheld([kept], 8, (), Secrets([kept], [said], lambda word: True), [said])
    assert withheld.redact("It was Quillan Frost who wept.") == f"It was {WITHHELD} who wept."


@pytest.mark.parametrize("slanted", ["_{}_", "__{}__", "_so {} it_"])
def test_a_slanted_word_without_a_capital_is_an_everyday_word(slanted: str) -> None:
    kept = f"Frost on the window. I told Ines Calder of Frost, and {slanted.format('frost')} it was."
    withheld = Withheld([kept], 8, (), Secrets([kept], (), lambda word: word != "frost"))
    assert withheld.redact("Frost on it, I think.") == "Frost on it, I think."


def test_two_numbers_in_a_row_do_not_hide_one_another(withheld: Withheld) -> None:
    assert withheld.redact("nail 9 385 pounds") == f"{WITHHELD} pounds"


def test_what_also_stands_in_a_text_that_may_be_said_is_no_secret() -> None:
    said = ("The key hangs behind the Ostrander tables, nail 9.",)
    withheld = Withheld(PRIVATE, 8, (), Secrets(PRIVATE, said, lambda word: word not in RARE), said)
    assert withheld.redact("Ostrander, nail 9, not Kittiwake.") == f"Ostrander, nail 9, not {WITHHELD}."
    assert withheld.redact(said[0]) == said[0]


def test_the_words_of_a_question_are_no_licence(withheld: Withheld) -> None:
    assert withheld.redact("You ask if it is Kittiwake 7304. Yes.") == f"You ask if it is {WITHHELD}. Yes."


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_pieces_of_any_size_show_what_the_whole_text_shows(withheld: Withheld, data: st.DataObject) -> None:
    words = data.draw(st.lists(
        st.sampled_from(["the", "K-i-t-t-i-w-a-k-e", "7304", "seven", "three", "oh", "four", "nail", "9", "14", "June",
                         "1971", "a", "b", "Corrie", "map,", "coast.", "Quillan and Frost", "e\u0301", "海图室",
                         "Ki\u0301tti\u00adwake", "海Kittiwake图", "_Kitti_", "wake_", "_", "nail_9_", "_oh", "sun",
                         "two_", "9x", "X_", "_i", "m_o",
                         "\u0301_", "_\u200b_"]), max_size=30,
    ))  # fmt: skip
    text = data.draw(st.sampled_from([" ", "_", ""])).join(words)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)))
    stream = Shown(withheld)
    shown = "".join(stream.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)) + stream.end()
    assert shown == withheld.redact(text)


def test_a_long_answer_streams_while_it_is_spoken(withheld: Withheld) -> None:
    stream = Shown(withheld)
    shown = "".join(stream.feed(f"word{'abc'[place % 3] * 4} ") for place in range(60))
    assert len(shown.split()) >= 45


class LookedUp(set[Any]):
    """A set in which things are looked up, and that nobody goes through."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("it was gone through")


def test_secrets_are_looked_up_and_not_gone_through_for_each_word() -> None:
    secrets = Secrets(PRIVATE, SAID, lambda word: word not in RARE)
    for kind in ("names", "codes", "phrases", "labels", "days", "_spelled"):
        setattr(secrets, kind, LookedUp(getattr(secrets, kind)))
    assert secrets.marked(["ask", "the", "kittiwakes", "of", "Corrie", "Ashdown", "by", "nail", "9"]) == [
        False, False, True, False, True, True, False, True, True,
    ]  # fmt: skip
    assert secrets.marked(["my", "kitti", "wakes", "x", "i", "mo"], {1, 2, 4, 5}) == [False, *[True] * 5]


@given(st.lists(st.sampled_from(["kitti", "wake", "k", "corrie", "ashdown", "pintle", "7304", "28", "17"]), max_size=5))
def test_a_secret_of_five_letters_is_found_anywhere_in_a_word(parts: list[str]) -> None:
    secrets = Secrets(PRIVATE, SAID, lambda word: word not in RARE)
    word = "".join(parts) or "the"
    named = {*secrets.names, *secrets.codes, "corrieashdown", "quillanandfrost"}
    inside = {each for each in named if len(each) >= 5 and (each in word or each[::-1] in word)}
    assert secrets.marked([word]) == [bool(inside) or word in named or word[::-1] in named]
