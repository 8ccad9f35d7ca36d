"""A conversation within the model's context: what no longer fits whole is told in a line, and never silently dropped.

The rule is fixed, so that the same conversation gives the same prompt: of a turn that makes room, the first sentence of
the question and of the answer stay; where even these lines are too many, the oldest are counted. Turns make room
several at a time, and by what was said alone, with room set by for a question that is still to come: between two such
steps a prompt begins with the one before it, which its engine has read already, and the next step can be read ahead.

To count a prompt costs as much as it is long, and there may be thousands of turns. So each turn and each line is
counted once, and only those that could have room; their sums say where to look, and whole prompts are counted there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

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
Found = TypeVar("Found")
_BESIDE = PromptTurn("?")
"""A turn beside which others, and lines, are counted: the first and the last of a prompt may be written in another way,
and a chat template may refuse a prompt without a question, or write the scene within the first one."""

Render = Callable[[Sequence[PromptTurn], Sequence[str]], list[Message]]
"""Turns and the lines that stand for those before them, as messages."""


Count = Callable[[Sequence[Message]], int]
"""Tokens of a prompt."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A conversation as a prompt has room for it."""

    messages: list[Message]
    told: int
    """Turns that are told in a line only, or counted."""
    last: PromptTurn
    """The last turn as it is shown: with the memories that had room."""


def fitted(turns: Sequence[PromptTurn], render: Render, count: Count, room: int) -> Fitted:
    """A conversation in at most ``room`` tokens.

    The last turn always stays whole; where it alone is too long, its memories go, the last ones first.
    """
    said = turns[:-1]
    fitting = _Fitting(turns, render, count, SHARE * room)
    settled = fitting.first(said, range(0, len(said), STEP), (1 - SET_BY) * room)
    at_once = settled[0] if settled else 0
    for places in (range(at_once, at_once + 1), range(STEP, len(turns), STEP), range(1, len(turns))):
        found = fitting.first(turns, places, room)
        if found is not None:
            told, messages = found
            return Fitted(messages, told, turns[-1])
    return _last_alone(turns, render, count, room)


class _Fitting:
    """How many of a conversation's turns must be told in lines."""

    def __init__(self, turns: Sequence[PromptTurn], render: Render, count: Count, share: float) -> None:
        """``share`` is the most that the lines may take, with the scene they stand in and a shortest question."""
        self._turns = turns
        self._render = render
        self._count = count
        self._share = share
        self._beside = count(render([_BESIDE], ()))
        self._most_left_out = _counted(len(turns))
        self._counted = count(render([_BESIDE], [self._most_left_out]))
        self._wholes: dict[int, int] = {}
        self._lines: dict[int, tuple[str, int]] = {}
        self._before: dict[int, list[str]] = {}

    def first(self, some: Sequence[PromptTurn], places: range, most: float) -> tuple[int, list[Message]] | None:
        """The first of ``places`` up to which the turns must be told in lines, for the rest of ``some`` to stand whole
        in ``most`` tokens; with the messages. None where there is none."""
        if not some or not places:
            return None
        likely = len(places) - 1
        spent = self._count(self._render(some[-1:], ()))
        after = len(some) - 1
        for at in range(len(places) - 1, -1, -1):
            while after > places[at]:
                after -= 1
                spent += self._whole(after)
            if spent > most:
                break
            if spent + self._left_out(places[at])[1] <= most:
                likely = at
        return _first_found(likely, len(places), lambda at: self._shown(some, places[at], most))

    def _shown(self, some: Sequence[PromptTurn], told: int, most: float) -> tuple[int, list[Message]] | None:
        """None where the messages are too long."""
        messages = self._render(some[told:], self._lines_before(told))
        return (told, messages) if self._count(messages) <= most else None

    def _lines_before(self, told: int) -> list[str]:
        """What stands for so many turns: the last lines that have room, and how many are left out."""
        if told and told not in self._before:
            self._before[told] = _first_found(
                min(self._left_out(told)[0], told - 1), told, lambda left_out: self._fitting_lines(left_out, told)
            ) or [_counted(told)]
        return self._before[told] if told else []

    def _fitting_lines(self, left_out: int, told: int) -> list[str] | None:
        lines = [self._line(place)[0] for place in range(left_out, told)]
        lines = [_counted(left_out), *lines] if left_out else lines
        return lines if self._count(self._render([_BESIDE], lines)) <= self._share else None

    def _left_out(self, told: int) -> tuple[int, int]:
        """How many lines of so many turns have no room, by their sums, and what the others cost."""
        if not told:
            return 0, 0
        spent = self._counted
        left_out = told
        while left_out and spent + self._line(left_out - 1)[1] <= self._share:
            left_out -= 1
            spent += self._line(left_out)[1]
        return left_out, spent - self._beside

    def _whole(self, place: int) -> int:
        if place not in self._wholes:
            self._wholes[place] = self._count(self._render([self._turns[place], _BESIDE], ())) - self._beside
        return self._wholes[place]

    def _line(self, place: int) -> tuple[str, int]:
        """A turn in a line, and what it costs."""
        if place not in self._lines:
            line = line_of(self._turns[place])
            with_it = self._count(self._render([_BESIDE], [self._most_left_out, line]))
            self._lines[place] = line, with_it - self._counted
        return self._lines[place]


def _first_found(likely: int, stop: int, find: Callable[[int], Found | None]) -> Found | None:
    """What is found at the first place below ``stop`` where something is; from the ``likely`` one it is few steps."""
    found = find(likely)
    if found is None:
        return next((each for at in range(likely + 1, stop) if (each := find(at)) is not None), None)
    while likely and (before := find(likely - 1)) is not None:
        likely, found = likely - 1, before
    return found


def _last_alone(turns: Sequence[PromptTurn], render: Render, count: Count, room: int) -> Fitted:
    last = turns[-1]
    lines = [f"({len(turns) - 1} exchanges before this one)"] if len(turns) > 1 else []
    for kept in range(len(last.memories), -1, -1):
        turn = replace(last, memories=last.memories[:kept])
        messages = render([turn], lines)
        if count(messages) <= room:
            break
    return Fitted(messages, len(turns) - 1, turn)


def _counted(turns: int) -> str:
    return f"({turns} exchanges before these)"


def line_of(turn: PromptTurn) -> str:
    """One turn in a line."""
    answer = f" You said: {_first(turn.answer)}" if turn.answer else ""
    return f"{turn.asker or 'They'} asked: {_first(turn.question)}{answer}"


def _first(text: str) -> str:
    """The first sentence, cut to so many words."""
    first = next((each.text for each in sentences_of(text)), text)
    words = first.split()
    return " ".join(words[:LONGEST_LINE]) + ("…" if len(words) > LONGEST_LINE else "")
