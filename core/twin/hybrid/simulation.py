"""The SIMULATED CHAT: a persona goes on with the named log of a talk, unable to end it, until the target spoke enough.

The prompt is the text-completion form of the samples (``core.prompts.log``), line for line and token for token, with
the target's line begun. What the persona invents for others is kept for whoever wants to see it, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace

from core.errors import UsageError
from core.prompts.log import Line, log_messages, name_of
from core.prompts.render import PromptTurn, Renderer
from core.store.adapters import AdapterRow, find_adapter, list_adapters
from core.store.datasets import completes_logs
from core.twin.hybrid.cutting import before_repetition, cut, parsed
from core.twin.speech import Manner, Voice
from core.workspace import Workspace

NOBODY = "Someone"
"""Who speaks where nobody said who, as in the samples."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a persona goes on with."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated chat, cut and cleaned; the target's line is the first."""

    lines: tuple[Line, ...]

    @property
    def turns(self) -> tuple[str, ...]:
        """What the target says in it."""
        return tuple(line.text for line in self.lines if line.mine)


def simulating_adapter(workspace: Workspace, in_use: AdapterRow | None) -> AdapterRow | None:
    """``[twin] simulation``; else the newest adapter that was trained on logs; else the one in use, or None.

    Raises UsageError for a name that no adapter has.
    """
    database = workspace.database
    name = workspace.settings.twin.simulation
    if name:
        found = find_adapter(database, name)
        if found is None:
            raise UsageError(f"[twin] simulation names no adapter: {name!r}", "see `simulee adapters list`")
        return found
    for adapter in reversed(list_adapters(database)):
        if completes_logs(database, adapter.dataset_id):
            return adapter
    return in_use


def log_of(turns: Sequence[PromptTurn], target: str) -> list[Line]:
    """The turns of a talk as lines; the question to be answered is the last one."""
    lines: list[Line] = []
    for turn in turns:
        lines.append(Line(turn.asker or NOBODY, turn.question))
        if turn.answer:
            lines.append(Line(target, turn.answer, True))
    return [line for line in lines if line.text.strip()]


def begun_log(renderer: Renderer, lines: Sequence[Line], target: str, room: int) -> Log:
    """The last lines that fit into ``room`` tokens, and the target's begun. Raises UsageError where not one fits."""
    plain = renderer.tokenizer.plain
    head = name_of(plain(target))
    beginning = renderer.tokenizer.encode(head)
    kept: list[str] = []
    ids: list[int] = []
    for line in reversed(lines):
        messages = log_messages([Line(plain(line.name), plain(line.text), line.mine)])
        own = renderer.tokens(messages)[0]
        if len(own) + len(ids) + len(beginning) > room:
            break
        kept.insert(0, renderer.prompt(messages))
        ids = own + ids
    if lines and not kept:
        raise UsageError(f"the question is longer than the {room} tokens that the twin reads", "ask in fewer words")
    return Log("".join(kept) + head, tuple(ids + beginning))


def simulate(
    voice: Voice, log: Log, manner: Manner, target: str, turns: int, names: Collection[str], known: Collection[str]
) -> Generator[str, None, Simulation]:
    """Let a voice go on with a log, until the target has said so many whole turns, or begins to repeat.

    Yields an empty piece for each that came, so that whoever waits may leave. Raises ModelError.
    """
    text = ""
    speaking = voice.speak(log.text, log.tokens, replace(manner, ban_end=True))
    try:
        for piece in speaking:
            text += piece
            yield ""
            if "\n" in piece and _is_enough(text, target, turns, names, known):
                break
    finally:
        speaking.close()
    return Simulation(tuple(cut(text, target, turns, names, known)))


def _is_enough(text: str, target: str, turns: int, names: Collection[str], known: Collection[str]) -> bool:
    whole = text[: text.rindex("\n")]
    if before_repetition(whole) != whole:
        return True
    lines = parsed(whole, target, names, known)
    # The last line may be gone on with by one that names nobody; what is said after it is not waited for.
    return sum(line.mine for line in lines) >= turns
