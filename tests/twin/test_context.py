"""What does not fit the context is told in a line, counted, and never silently dropped."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from core.prompts.messages import Message
from core.prompts.render import PromptTurn, RecalledMemory
from core.twin.context import fitted, line_of


def _render(turns: Sequence[PromptTurn], earlier: Sequence[str]) -> list[Message]:
    messages = [Message("system", "\n".join(earlier))]
    for turn in turns:
        messages.append(Message("user", " ".join([turn.question, *(each.text for each in turn.memories)])))
        if turn.answer is not None:
            messages.append(Message("assistant", turn.answer))
    return messages


def _count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def _turns(count: int, words: int) -> list[PromptTurn]:
    return [PromptTurn(f"Question {n}? " + "and more " * words, "", (), f"Answer {n}. " + "so " * words)
            for n in range(count)] + [PromptTurn("The last one?")]  # fmt: skip


def test_what_fits_stays_as_it_was() -> None:
    turns = _turns(3, 2)
    assert fitted(turns, _render, _count, 1000) == (_render(turns, ()), 0)


def test_the_oldest_turns_become_lines_and_the_rest_stays_whole() -> None:
    messages, told = fitted(_turns(6, 20), _render, _count, 260)
    assert 0 < told < 6
    lines = messages[0].content.splitlines()
    assert lines == [f"They asked: Question {n}? You said: Answer {n}." for n in range(told)]
    assert messages[-1].content == "The last one?"
    assert _count(messages) <= 260


def test_between_two_steps_a_prompt_begins_with_the_one_before_it() -> None:
    turns = _turns(30, 20)[:-1]
    kept, begun = 0, 0
    before: list[Message] = []
    for asked in range(6, 30):
        question = PromptTurn(turns[asked].question)
        messages, told = fitted([*turns[:asked], question], _render, _count, 400)
        assert told
        if messages[: len(before)] == before:
            kept += 1
        else:
            begun += 1
        before = messages
    assert kept >= 2 * (begun - 1)


def test_where_even_lines_are_too_many_the_oldest_are_counted() -> None:
    messages, told = fitted(_turns(60, 10), _render, _count, 120)
    lines = messages[0].content.splitlines()
    assert lines[0] == f"({told - len(lines) + 1} exchanges before these)"
    assert len(lines) > 2
    assert _count(messages) <= 120


def test_a_last_turn_too_long_alone_loses_its_last_memories() -> None:
    memories = tuple(RecalledMemory("word " * 30) for _ in range(4))
    messages, told = fitted([*_turns(2, 5)[:-1], PromptTurn("Why?", "", memories)], _render, _count, 80)
    assert told == 2
    assert messages[-1].content.count("word") == 60
    assert _count(messages) <= 80


def test_a_line_is_the_first_sentence_of_each_cut_where_it_is_long() -> None:
    turn = PromptTurn("Is it? I wonder.", "Ines", (), "No. Never.")
    assert line_of(turn) == "Ines asked: Is it? You said: No."
    assert line_of(PromptTurn("word " * 40)).endswith(" word…")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(40, 400))
def test_every_turn_is_whole_or_told_or_counted(count: int, words: int, room: int) -> None:
    turns = _turns(count, words)
    messages, told = fitted(turns, _render, _count, room)
    assert _count(messages) <= room
    whole = sum(message.role == "user" for message in messages)
    assert whole + told == len(turns)
    lines = messages[0].content.splitlines()
    counted = int(lines[0].strip("(").split()[0]) if lines and lines[0].startswith("(") else 0
    assert counted + len([line for line in lines if not line.startswith("(")]) == told
