"""The messages of a talk so far, as its prompt shows them, within the room that the model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.dataset.scenes import scene_of
from core.prompts.messages import Message
from core.prompts.render import PromptTurn, Renderer, Round
from core.twin.context import Fitted, fitted
from core.workspace import Workspace


def composed(workspace: Workspace, renderer: Renderer, turns: Sequence[PromptTurn], when: str, room: int) -> Fitted:
    """A conversation in at most ``room`` tokens. The last turn is the question to be answered; what it called functions
    for goes last memories first."""
    # What several people asked together names them itself.
    names = dict.fromkeys(name for turn in turns for name in turn.asker.split(" and ") if name)
    scene = scene_of(workspace.settings, workspace.target, when, tuple(names))

    def render(shown: Sequence[PromptTurn], earlier: Sequence[str]) -> list[Message]:
        # What several people asked together names them itself.
        plain = [turn if len(names) > 1 and turn.asker in names else replace(turn, asker="") for turn in shown]
        return renderer.messages(replace(scene, earlier=tuple(earlier)), plain)

    def count(messages: Sequence[Message]) -> int:
        return renderer.tokenizer.count(renderer.prompt(messages))

    last = turns[-1]
    while True:
        found = fitted([*turns[:-1], last], render, count, room)
        fewer = _with_a_memory_less(last.rounds)
        if fewer is None or count(found.messages) <= room:
            return found
        last = replace(last, rounds=fewer)


def _with_a_memory_less(rounds: tuple[Round, ...]) -> tuple[Round, ...] | None:
    """The same without the last memory that came back; None where there is none."""
    for place in range(len(rounds) - 1, -1, -1):
        calls = list(rounds[place].calls)
        for at in range(len(calls) - 1, -1, -1):
            command, memories = calls[at]
            if memories:
                calls[at] = (command, memories[:-1])
                return (*rounds[:place], replace(rounds[place], calls=tuple(calls)), *rounds[place + 1 :])
    return None
