"""How a persona asks for its memories in plain text, and what is no command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prompts.commands import LONGEST, Command, command_for, is_command, may_become_command, read_command
from core.retrieval.function_words import FUNCTION_WORDS


def test_a_sample_shows_the_words_of_its_question_that_say_something() -> None:
    question = "Do you still keep the old charts that your father's crew drew in Dunmarrow?"
    assert command_for(question, FUNCTION_WORDS) == "[recall: old charts father's crew drew Dunmarrow]"
    assert command_for("Why? What then?", FUNCTION_WORDS) == ""
    assert is_command(command_for(f"Who is {'x' * LONGEST}?", FUNCTION_WORDS)), "a sample's may be of any length"
    assert not is_command("[recall: rope] It was sold.")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("[recall: old charts]", Command("recall", "[recall: old charts]", "old charts")),
        (" [journal: rope] and so", Command("journal", "[journal: rope]", "rope")),
        ("[today]", Command("today", "[today]")),
        (
            "[recall: rope | after 2010 | before 2015-05]",
            Command("recall", "[recall: rope | after 2010 | before 2015-05]", "rope", "2010", "2015-05"),
        ),
        ("[recall: ]", None),
        ("[recall: two\nlines]", None),
        ("[forget: everything]", None),
        ("I recall: [recall: rope]", None),
        (f"[recall: {'x' * LONGEST}]", None),
    ],
)
def test_what_a_command_is(text: str, command: Command | None) -> None:
    assert read_command(text) == command


@given(st.text(max_size=200))
def test_whatever_begins_an_answer_is_read_without_harm(text: str) -> None:
    found = read_command(text)
    assert found is None or len(found.text) <= LONGEST
    may_become_command(text)


@given(st.from_regex(r"\[recall: [a-z]{1,12}( [a-z]{1,12}){0,4}\]", fullmatch=True))
def test_every_beginning_of_a_command_may_become_one(text: str) -> None:
    assert all(may_become_command(text[:stop]) for stop in range(len(text)))
    assert read_command(text) is not None


def test_an_ordinary_beginning_is_shown_at_once() -> None:
    assert not may_become_command("I ")
    assert not may_become_command("[sic] ")
    assert may_become_command("")
