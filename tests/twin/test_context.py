"""What does not fit the context is told in a line, counted, and never silently dropped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.chat_tokenizer import ChatTokenizer, model_folder
from core.models.packaged import SMOLLM2
from core.prompts.messages import Message
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene
from core.twin.context import SET_BY, SHARE, STEP, Fitted, fitted, line_of

DEMANDS_A_USER = """\
{%- if not messages | selectattr("role", "equalto", "user") | list %}
  {{- raise_exception("No user query found in messages.") }}
{%- endif %}
{%- for message in messages %}{{ "<|im_start|>" + message.role + "\n" + message.content + "<|im_end|>\n" }}{% endfor %}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif %}"""
"""As Qwen3.5 does."""
FOLDS_THE_SYSTEM_TEXT = """\
{%- set told = messages[0].content + "\n\n" %}
{%- for message in messages[1:] %}
  {{- "<|im_start|>" + message.role + "\n" + (told if loop.first else "") + message.content + "<|im_end|>\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif %}"""
"""Into the first question, as Gemma's and Mistral's do."""


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
    assert fitted(turns, _render, _count, 1000) == Fitted(_render(turns, ()), 0, turns[-1])


def test_the_oldest_turns_become_lines_and_the_rest_stays_whole() -> None:
    found = fitted(_turns(6, 20), _render, _count, 260)
    assert 0 < found.told < 6
    lines = found.messages[0].content.splitlines()
    assert lines == [f"They asked: Question {n}? You said: Answer {n}." for n in range(found.told)]
    assert found.messages[-1].content == "The last one?"
    assert _count(found.messages) <= 260


def test_between_two_steps_a_prompt_begins_with_the_one_before_it() -> None:
    turns = _turns(30, 20)[:-1]
    kept, begun = 0, 0
    before: list[Message] = []
    for asked in range(6, 30):
        question = PromptTurn(turns[asked].question)
        found = fitted([*turns[:asked], question], _render, _count, 400)
        assert found.told
        if found.messages[: len(before)] == before:
            kept += 1
        else:
            begun += 1
        before = found.messages
    assert kept >= 2 * (begun - 1)


def test_where_even_lines_are_too_many_the_oldest_are_counted() -> None:
    found = fitted(_turns(60, 10), _render, _count, 120)
    lines = found.messages[0].content.splitlines()
    assert lines[0] == f"({found.told - len(lines) + 1} exchanges before these)"
    assert len(lines) > 2
    assert _count(found.messages) <= 120


def test_a_last_turn_too_long_alone_loses_its_last_memories() -> None:
    memories = tuple(RecalledMemory("word " * 30) for _ in range(4))
    found = fitted([*_turns(2, 5)[:-1], PromptTurn("Why?", "", memories)], _render, _count, 80)
    assert found.told == 2
    assert found.messages[-1].content.count("word") == 60
    assert found.last == PromptTurn("Why?", "", memories[:2]), "what it shows of the last turn is told"
    assert _count(found.messages) <= 80


def test_a_line_is_the_first_sentence_of_each_cut_where_it_is_long() -> None:
    turn = PromptTurn("Is it? I wonder.", "Ines", (), "No. Never.")
    assert line_of(turn) == "Ines asked: Is it? You said: No."
    assert line_of(PromptTurn("word " * 40)).endswith(" word…")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(40, 400))
def test_every_turn_is_whole_or_told_or_counted(count: int, words: int, room: int) -> None:
    turns = _turns(count, words)
    found = fitted(turns, _render, _count, room)
    assert _count(found.messages) <= room
    whole = sum(message.role == "user" for message in found.messages)
    assert whole + found.told == len(turns)
    lines = found.messages[0].content.splitlines()
    counted = int(lines[0].strip("(").split()[0]) if lines and lines[0].startswith("(") else 0
    assert counted + len([line for line in lines if not line.startswith("(")]) == found.told


TURN = st.builds(
    lambda asked, said: PromptTurn("so " * asked + "it is?", "", (), "and " * said + "so."),
    st.integers(0, 40),
    st.integers(0, 60),
)


@given(st.lists(TURN, max_size=40), st.integers(1, 60), st.integers(40, 500))
def test_as_few_turns_are_told_in_lines_as_the_rule_lets(before: list[PromptTurn], words: int, room: int) -> None:
    turns = [*before, PromptTurn("why " * words)]
    found = fitted(turns, _render, _count, room)
    by_rule = _by_rule(turns, room)
    assert by_rule is None or (found.messages, found.told) == by_rule


def _by_rule(turns: Sequence[PromptTurn], room: int) -> tuple[list[Message], int] | None:
    """What trying one number after the other comes to; None where the last turn must be alone."""

    def lines_of(told: int) -> list[str]:
        lines = [line_of(turn) for turn in turns[:told]]
        for left_out in range(told):
            some = [*([f"({left_out} exchanges before these)"] if left_out else []), *lines[left_out:]]
            if _count(_render([PromptTurn("?")], some)) <= SHARE * room:
                return some
        return [f"({told} exchanges before these)"] if told else []

    said = turns[:-1]
    fits = (told for told in range(0, len(said), STEP)
            if _count(_render(said[told:], lines_of(told))) <= (1 - SET_BY) * room)  # fmt: skip
    for told in [next(fits, 0), *range(STEP, len(turns), STEP), *range(1, len(turns))]:
        messages = _render(turns[told:], lines_of(told))
        if _count(messages) <= room:
            return messages, told
    return None


def test_what_has_no_room_is_not_counted_again_for_every_step() -> None:
    counted = 0

    def count(messages: Sequence[Message]) -> int:
        nonlocal counted
        counted += _count(messages)
        return _count(messages)

    shorter, longer = (fitted(_turns(turns, 20), _render, count, 2000).told for turns in (200, 2000))
    assert 0 < shorter < longer
    assert counted < 2 * 20 * 2000, "each time as much as some prompts, however long the talk"


@pytest.mark.parametrize("template", [DEMANDS_A_USER, FOLDS_THE_SYSTEM_TEXT])
@pytest.mark.parametrize("before", [0, 200])
def test_a_talk_fits_whatever_the_chat_template_does_with_the_system_text(
    tmp_path: Path, template: str, before: int
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_folder(SMOLLM2, weights=False) / name, tmp_path)
    (tmp_path / "chat_template.jinja").write_text(template)
    renderer = Renderer(ChatTokenizer(tmp_path))

    def render(turns: Sequence[PromptTurn], earlier: Sequence[str]) -> list[Message]:
        return renderer.messages(Scene("Ada", earlier=tuple(earlier)), turns)

    def count(messages: Sequence[Message]) -> int:
        return renderer.tokenizer.count(renderer.prompt(messages))

    turns = _turns(before, 20)
    found = fitted(turns, render, count, 1500)
    assert count(found.messages) <= 1500
    assert bool(found.told) == bool(before)
    assert found.told < len(turns) - 1 or not before, "not all of them"
    lines = [line for line in found.messages[0].content.splitlines() if "You said" in line]
    assert bool(lines) == bool(before)
    assert count([found.messages[0], Message("user", "?")]) <= SHARE * 1500
