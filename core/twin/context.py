"""A conversation within the model's context: what no longer fits whole is told in a line, and never silently dropped.

The rule is fixed, so that the same conversation gives the same prompt: of a turn that makes room, the first sentence of
the question and of the answer stay; where even these lines are too many, the oldest are counted. Turns make room
several at a time, and by what was said alone, with room set by for a question that is still to come: between two such
steps a prompt begins with the one before it, which its engine has read already, and the next step can be read ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.corpus.sentences import sentences_of
from core.prompts.messages import Message
from core.prompts.render import PromptTurn

LONGEST_LINE = 18
"""Words of a question or an answer that its line keeps."""
STEP = 3
"""Turns that make room at once, where so many are left."""
SET_BY = 0.2
"""Of the room, what the turns before leave to the question and its memories, where they can."""
SHARE = 0.25
"""Of the room, the most that these lines may take."""

Render = Callable[[Sequence[PromptTurn], Sequence[str]], list[Message]]
"""Turns and the lines that stand for those before them, as messages."""


def fitted(
    turns: Sequence[PromptTurn], render: Render, count: Callable[[Sequence[Message]], int], room: int
) -> tuple[list[Message], int]:
    """The messages of a conversation in at most ``room`` tokens, and how many turns are told in a line only.

    The last turn always stays whole; where it alone is too long, its memories go, the last ones first.
    """

    def told_of(some: Sequence[PromptTurn], told: int) -> list[Message]:
        lines = _lines(some[:told], lambda lines: count(render((), lines)) <= SHARE * room) if told else ()
        return render(some[told:], lines)

    said = turns[:-1]
    steps = range(0, len(said), STEP)
    settled = next((told for told in steps if count(told_of(said, told)) <= (1 - SET_BY) * room), 0)
    for told in [settled, *range(STEP, len(turns), STEP), *range(1, len(turns))]:
        messages = told_of(turns, told)
        if count(messages) <= room:
            return messages, told
    return _last_alone(turns, render, count, room), len(turns) - 1


def _last_alone(
    turns: Sequence[PromptTurn], render: Render, count: Callable[[Sequence[Message]], int], room: int
) -> list[Message]:
    last = turns[-1]
    lines = [f"({len(turns) - 1} exchanges before this one)"] if len(turns) > 1 else []
    for kept in range(len(last.memories), -1, -1):
        turn = replace(last, memories=last.memories[:kept])
        messages = render([turn], lines)
        if count(messages) <= room:
            break
    return messages


def _lines(turns: Sequence[PromptTurn], fits: Callable[[Sequence[str]], bool]) -> list[str]:
    lines = [line_of(turn) for turn in turns]
    for left_out in range(len(lines)):
        counted = [f"({left_out} exchanges before these)"] if left_out else []
        if fits([*counted, *lines[left_out:]]):
            return [*counted, *lines[left_out:]]
    return [f"({len(lines)} exchanges before these)"]


def line_of(turn: PromptTurn) -> str:
    """One turn in a line."""
    answer = f" You said: {_first(turn.answer)}" if turn.answer else ""
    return f"{turn.asker or 'They'} asked: {_first(turn.question)}{answer}"


def _first(text: str) -> str:
    """The first sentence, cut to so many words."""
    first = next((each.text for each in sentences_of(text)), text)
    words = first.split()
    return " ".join(words[:LONGEST_LINE]) + ("…" if len(words) > LONGEST_LINE else "")
