"""How the twin asks for its memories itself: in a plain-text form that its adapter was trained to, or by functions.

Either way what it asks for is a command, and what comes back stands in the next prompt: for the plain-text form after
the last command alone, as in the samples; for functions after each call, as a chat interface wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.prompts.commands import Command
from core.prompts.render import PromptTurn, RecalledMemory, Round
from core.recall.recollect import Recollection
from core.store.adapters import AdapterRow
from core.store.datasets import dataset_of
from core.twin.transcript import PastTurns
from core.workspace import Workspace

MOST_COMMANDS = 2
"""How often the twin may ask for its memories in one answer; with functions, several at once."""
MOST_SAID = 2000
"""Characters that are kept of what it says before it calls functions."""

AskingForm = Literal["text", "functions"]


@dataclass(frozen=True, slots=True)
class CameBack:
    """What comes back for one command."""

    memories: tuple[RecalledMemory, ...] = ()
    """As the prompt shows them."""
    recollections: tuple[Recollection, ...] = ()
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command that was followed, and how many memories came back."""

    command: Command
    memories: int

    def stored(self) -> dict[str, Any]:
        """As a message's settings keep it."""
        problem = {"problem": self.command.problem} if self.command.problem else {}
        return {"command": self.command.text, "memories": self.memories, **problem}


@dataclass(frozen=True, slots=True)
class Asking:
    """A question under way: what was said before it, and what the twin has asked for since."""

    turn: PromptTurn
    past: PastTurns = field(default_factory=PastTurns)
    facts: tuple[RecalledMemory, ...] = ()
    """What a person stated and bears on the question."""
    recollections: tuple[Recollection, ...] = ()
    """What came back so far and the next prompt may show; no passage twice."""
    seen: tuple[Recollection, ...] = ()
    """What was shown before it called functions: what it said then may rest on it."""
    form: AskingForm | None = None
    """None where it may not ask."""
    commands: int = 0
    """How often it has asked."""
    followed: tuple[Commanded, ...] = ()

    @property
    def may_ask(self) -> bool:
        """Whether it may ask once more."""
        return self.form is not None and self.commands < MOST_COMMANDS

    def after(
        self, commands: Sequence[Command], came: Sequence[CameBack], said: str, seen: tuple[Recollection, ...] = ()
    ) -> Asking:
        """The same question, once something has come back for each command; ``seen`` is what its prompt showed."""
        if self.form == "functions":
            calls = tuple((command, each.memories) for command, each in zip(commands, came, strict=True))
            turn = replace(self.turn, rounds=(*self.turn.rounds, Round(calls, said[:MOST_SAID])))
        else:
            memories = (*self.facts, *(memory for each in came for memory in each.memories))
            turn = PromptTurn(self.turn.question, self.turn.asker, memories, command=commands[0].text)
        followed = [Commanded(command, len(each.memories)) for command, each in zip(commands, came, strict=True)]
        found: dict[int, Recollection] = {}
        earlier = self.recollections if self.form == "functions" else ()
        for one in (*earlier, *(one for each in came for one in each.recollections)):
            found.setdefault(one.found.passage.chunk.id, one)
        return replace(
            self,
            turn=turn,
            recollections=tuple(found.values()),
            seen=seen if self.form == "functions" else (),
            commands=self.commands + 1,
            followed=(*self.followed, *followed),
        )

    def shown(self, turn: PromptTurn) -> tuple[Recollection, ...]:
        """Of what came back, what was shown before and what a prompt shows in which the question stands as ``turn``."""
        came = {memory for each in turn.rounds for _, memories in each.calls for memory in memories}
        there = came.union(turn.memories)
        return tuple(each for each in self.recollections if each in self.seen or each.remembered() in there)


def asking_form(workspace: Workspace, adapter: AdapterRow | None) -> AskingForm | None:
    """How the twin may ask for its memories with an adapter; None where it is not to, or cannot."""
    tools = workspace.settings.twin.tools
    if tools == "off":
        return None
    dataset = dataset_of(workspace.database, adapter.dataset_id or 0) if adapter else None
    if dataset and dataset.settings.get("tools"):
        return "text"
    if workspace.settings.models.persona.api == "chat":
        return "functions"
    return "text" if tools == "on" else None


def recalls_first(workspace: Workspace, form: AskingForm | None) -> bool:
    """Whether a question is recalled for before the twin asks: always where it cannot, and where functions only add.

    A model that was not trained to ask may answer without: what is recalled for every question then stays.
    """
    return form is None or (form == "functions" and workspace.settings.twin.tools == "auto")
