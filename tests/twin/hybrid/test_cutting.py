"""What a persona wrote without an end becomes whole turns of the right people, whatever it wrote."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from core.twin.hybrid.cutting import before_repetition, cut, parsed, repeated_at, whole_lines

ADA, INES = "Ada Marlow", "Ines Calder"

words = st.lists(st.sampled_from(["tide", "chart", "Ada", "row", "sea", "lamp"]), max_size=60)
hostile = st.text(st.one_of(st.sampled_from(":\n\r\0\u2028 AbI\ud800."), st.characters()), max_size=300)


def runs(text: str) -> list[tuple[str, ...]]:
    said = re.findall(r"\w+", text.casefold())
    return [tuple(said[start : start + 8]) for start in range(len(said) - 7)]


@given(words)
def test_no_run_of_eight_words_is_left_twice_and_nothing_more_is_cut(said: list[str]) -> None:
    text = " ".join(said)
    kept = before_repetition(text)
    assert text.startswith(kept)
    # One word further, and the run that began again would still not be whole; seven further, it is.
    begun = runs(text[: len(kept)] + " " + " ".join(text[len(kept) :].split()[:7]))
    assert len(begun) == len(set(begun))
    if kept != text:
        after = runs(kept + " ".join(text[len(kept) :].split()[:8]))
        assert len(after) > len(set(after))


def test_it_is_cut_where_the_repetition_begins_case_and_stops_aside() -> None:
    text = " One two three four five six seven eight.\nInes: So?\nAda Marlow: ONE, two three four five six seven eight"
    assert text[repeated_at(text) :].startswith("ONE, two")


def test_seven_words_may_come_again() -> None:
    assert repeated_at("a b c d e f g x a b c d e f g y") is None


def test_a_partial_last_line_is_dropped() -> None:
    assert whole_lines(" The tide.\nInes Calder: And the\nAda Marlow: I wa") == " The tide.\nInes Calder: And the\n"
    assert whole_lines(" The tide.\n") == " The tide.\n"


def test_of_a_single_line_that_is_cut_the_whole_sentences_stay() -> None:
    assert whole_lines(" I rowed. It was 3.5 miles! And then I wa") == " I rowed. It was 3.5 miles!"
    assert whole_lines(" And then I wa") == ""
    assert whole_lines("\nAda Mar") == ""


def test_lines_are_given_to_whom_they_name_and_the_users_next_line_is_nobodys_answer() -> None:
    lines = parsed(" I did.\nInes Calder: Why?\nada marlow: For the lamp.\nJoeyone: lol", ADA, ["ada"], [INES])
    assert [(line.name, line.text, line.mine) for line in lines] == [
        (ADA, "I did.", True), (INES, "Why?", False), (ADA, "For the lamp.", True), ("Joeyone", "lol", False),
    ]  # fmt: skip


def test_a_name_with_a_colon_is_heard_as_its_lines_are_written() -> None:
    lines = parsed(" Aye.\nDr Who: And then?\nAda Marlow: Nothing.", "Ada: Marlow", [], ["Dr: Who"])
    assert [(line.name, line.mine) for line in lines] == [
        ("Ada: Marlow", True),
        ("Dr: Who", False),
        ("Ada: Marlow", True),
    ]


def test_a_colon_alone_makes_no_speaker() -> None:
    text = " I said\nthat the tide is at 12:30 and\nsee http://example.org for what I said then: nothing\n\n\n"
    lines = parsed(text, ADA)
    assert len(lines) == 1
    assert lines[0].text.startswith("I said that the tide is at 12:30 and see http://example.org")


def test_empty_turns_are_left_out() -> None:
    assert [line.text for line in parsed("\n\nInes Calder:\nAda Marlow:  \nAda Marlow: Here.", ADA, [], [INES])] == [
        "Here."
    ]


def test_only_so_many_turns_of_the_target_are_kept() -> None:
    text = " One.\nInes Calder: A?\nAda Marlow: Two.\nInes Calder: B?\nAda Marlow: Three.\n"
    assert [line.text for line in cut(text, ADA, 2)] == ["One.", "A?", "Two."]


@given(hostile, st.integers(1, 4))
def test_whatever_is_written_the_lines_are_clean_and_the_target_opens_no_more_turns_than_asked(
    text: str, turns: int
) -> None:
    lines = cut(text, ADA, turns, ["ada"], [INES])
    assert sum(line.mine for line in lines) <= turns
    for line in lines:
        assert line.text
        assert line.name
        assert not set("\n\r\0\u2028") & set(line.text + line.name)
        assert line.mine == (line.name == ADA)
        line.text.encode("utf-8")


@given(st.lists(st.tuples(st.booleans(), words), max_size=8))
def test_a_well_formed_log_is_read_as_it_was_written(turns: list[tuple[bool, list[str]]]) -> None:
    said = [(mine, " ".join(each)) for mine, each in turns if each]
    text = "".join(f"\n{ADA if mine else INES}: {each}" for mine, each in said)
    assert [(line.mine, line.text) for line in parsed(text, ADA, [], [INES])] == said
