"""One answer between its question and the store: what it is spoken from, and how it is spoken."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from core.errors import ModelError
from core.prompts.commands import Command, may_become_command, read_command
from core.recall.recollect import Recollection
from core.twin.guard import Shown, Withheld
from core.twin.hybrid.turn import Hybrid, HybridTurn
from core.twin.speech import Finish, Manner, Voice
from core.twin.stops import StopStrings
from core.twin.transcript import PastTurns


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stored question, and all that its answer is spoken from."""

    session_id: int
    """0 for a raw continuation, which belongs to no session."""
    prompt: str
    tokens: tuple[int, ...]
    manner: Manner
    voice: Voice
    withheld: Withheld
    recollections: tuple[Recollection, ...] = ()
    missed: tuple[str, ...] = ()
    unknown: str = ""
    """What is said instead of asking a model; empty where a model speaks."""
    told_in_lines: int = 0
    about: tuple[str, ...] = ()
    """uids of the documents and exchanges whose words the prompt shows."""
    asking: Asking | None = None
    """What is needed to go on when the twin asks for its memories; None where it may not."""
    hybrid: HybridTurn | None = None
    """What an answer in hybrid mode is made from; it is spoken on the thread of the parts."""

    @property
    def anywhere(self) -> bool:
        """Whether it may be spoken on another thread than that of the parts."""
        return self.voice.anywhere and self.hybrid is None


@dataclass(frozen=True, slots=True)
class Asking:
    """A question under way: what was said before it, and how often the twin has asked for its memories."""

    question: str
    speaker: str
    past: PastTurns
    commands: int = 0


class Speaking:
    """One answer while it is spoken: iterate over what may be shown. It may be iterated on another thread where the
    voice says so."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._shown: list[str] = []
        self.command: Command | None = None
        """What the twin asks for instead of answering: nothing of it is shown."""
        self.hybrid: Hybrid | None = None
        self.finish: Finish = "stop"
        self.ended = "stopped"
        """How it ended: as ``finish``, ``stopped`` where it was closed before, ``broken``."""

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(self._shown).strip()

    @property
    def raw(self) -> str:
        """The same with the white space around it."""
        return "".join(self._shown)

    def __iter__(self) -> Generator[str, None, None]:
        prepared = self._prepared
        stops = StopStrings(prepared.manner.stop)
        if prepared.unknown:
            said = stops.feed(prepared.unknown) + stops.end()
            self._shown.append(said)
            yield said
            self.ended = "stop"
            return
        if prepared.hybrid is not None:
            # Empty pieces come meanwhile, so that whoever waits can leave.
            self.hybrid = yield from self._whole(prepared.hybrid)
            if said := stops.feed(self.hybrid.text) + stops.end():
                self._shown.append(said)
                self.ended = self.finish
                yield said
                return
        stream = Shown(prepared.withheld)
        begun: str | None = "" if prepared.asking is not None else None
        speaking = prepared.voice.speak(prepared.prompt, prepared.tokens, prepared.manner, prepared.about)
        try:
            while not stops.found:
                try:
                    piece = next(speaking)
                except StopIteration as end:
                    self.finish = end.value
                    rest = stops.feed(stream.feed(begun or "") + stream.end())
                    rest += stops.end()
                    if rest:
                        self._shown.append(rest)
                        yield rest
                    break
                if begun is not None:
                    begun += piece
                    self.command = read_command(begun)
                    if self.command is not None:
                        return
                    if may_become_command(begun):
                        continue
                    piece, begun = begun, None
                if shown := stops.feed(stream.feed(piece)):
                    self._shown.append(shown)
                    yield shown
            if stops.found:
                self.finish = "stop"
            self.ended = self.finish
        except ModelError:
            self.ended = "broken"
            raise
        finally:
            speaking.close()

    def _whole(self, turn: HybridTurn) -> Generator[str, None, Hybrid]:
        try:
            return (yield from turn.answer())
        except ModelError:
            self.ended = "broken"
            raise
