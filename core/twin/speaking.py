"""One answer between its question and the store: what it is spoken from, and how it is spoken."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from core.errors import ModelError
from core.models.generation import Reply
from core.prompts.commands import Command, may_become_command, read_command
from core.prompts.functions import read_call
from core.prompts.messages import Message
from core.recall.recollect import Recollection
from core.twin.asking import Asking, Commanded
from core.twin.guard import Shown, Withheld
from core.twin.hybrid.turn import Hybrid, HybridTurn
from core.twin.speech import Conversing, Finish, Manner, Voice
from core.twin.stops import StopStrings


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
    messages: tuple[Message, ...] = ()
    """What the prompt is the text of; empty for a raw continuation."""
    recollections: tuple[Recollection, ...] = ()
    """Those whose memories the prompt shows, or one before it in the same answer."""
    missed: tuple[str, ...] = ()
    unknown: str = ""
    """What is said instead of asking a model, and may be; empty where a model speaks."""
    told_in_lines: int = 0
    asker: str = ""
    """Who asks; empty where nobody said."""
    about: tuple[str, ...] = ()
    """uids of the documents and exchanges whose words the prompt shows."""
    asking: Asking | None = None
    """What is needed to go on when the twin asks for its memories; None where it may not."""
    followed: tuple[Commanded, ...] = ()
    """What it has asked for already."""
    hybrid: HybridTurn | None = None
    """What an answer in hybrid mode is made from; it is spoken on the thread of the parts."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """What it is spoken by."""
        return (self.voice,) if self.hybrid is None else (self.voice, self.hybrid.voice)

    @property
    def anywhere(self) -> bool:
        """Whether it may be spoken on another thread than that of the parts."""
        return self.voice.anywhere and self.hybrid is None

    @property
    def reads_commands(self) -> bool:
        """Whether an answer may begin with a command in plain text. Where functions are offered, too: a model may have
        been trained to it elsewhere."""
        return self.asking is not None

    def spoken(self) -> Generator[str, None, Finish | Reply]:
        """What the voice says: to the messages where it answers such, else to the prompt. Raises ModelError."""
        if isinstance(self.voice, Conversing):
            functions = self.asking is not None and self.asking.form == "functions"
            return self.voice.converse(self.messages, functions, self.tokens, self.manner, self.about)
        return self.voice.speak(self.prompt, self.tokens, self.manner, self.about)


class Speaking:
    """One answer while it is spoken: iterate over what may be shown. It may be iterated on another thread where the
    voice says so."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._shown: list[str] = []
        self._stops = StopStrings(prepared.manner.stop)
        # The guard outlives a call of functions: what is withheld may stand partly before it and partly after.
        self._stream = Shown(prepared.withheld)
        self._said: list[str] = []
        self._gap = ""
        self.commands: tuple[Command, ...] = ()
        """What the twin asks for instead of going on: nothing of it is shown."""
        self.hybrid: Hybrid | None = None
        self.finish: Finish = "stop"
        self.ended = "stopped"
        """How it ended: as ``finish``, ``stopped`` where it was closed before, ``broken``."""

    def go_on(self, prepared: Prepared) -> None:
        """Iterate once more, from what came back for the commands."""
        self._gap = " " if self._said or self._gap else ""
        if prepared.withheld is not self._prepared.withheld:
            self._gap = self._stream.pending + self._gap
            self._stream = Shown(prepared.withheld)
        self._prepared, self.commands, self._said = prepared, (), []

    def break_off(self) -> None:
        """Nothing comes back for the commands: the answer ends with what was shown."""
        self.commands, self.ended = (), "stopped"

    @property
    def recollections(self) -> tuple[Recollection, ...]:
        """What it could rest on: what its prompt showed, or the facts that it was merged from."""
        turn = self._prepared.hybrid
        merged = turn is not None and self.hybrid is not None and self.hybrid.outcome != "plain"
        return turn.recollections if turn is not None and merged else self._prepared.recollections

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(self._shown).strip()

    @property
    def raw(self) -> str:
        """The same with the white space around it."""
        return "".join(self._shown)

    @property
    def said(self) -> str:
        """What was said since it began or went on, before the guard: of this, nobody is shown what is withheld."""
        return "".join(self._said)

    def __iter__(self) -> Generator[str, None, None]:
        prepared, stops, stream = self._prepared, self._stops, self._stream
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
        begun: str | None = "" if prepared.reads_commands else None
        speaking = prepared.spoken()
        try:
            while not stops.found:
                try:
                    piece = next(speaking)
                except StopIteration as end:
                    if isinstance(end.value, Reply) and end.value.calls and not self._past_a_stop:
                        self.commands = tuple(read_call(each.name, each.arguments) for each in end.value.calls)
                        return
                    self.finish = end.value.finish if isinstance(end.value, Reply) else end.value
                    rest = stops.feed(stream.feed(begun or "") + stream.end())
                    rest += stops.end()
                    if rest:
                        self._shown.append(rest)
                        yield rest
                    break
                if begun is not None:
                    begun += piece
                    command = read_command(begun)
                    if command is not None:
                        self.commands = (command,)
                        return
                    if may_become_command(begun):
                        continue
                    piece, begun = begun, None
                self._said.append(piece)
                piece, self._gap = self._gap + piece, ""
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

    @property
    def _past_a_stop(self) -> bool:
        """Whether what was said since holds a stop string, which the guard may still keep back."""
        return any(stop in self.said for stop in self._prepared.manner.stop if stop)

    def _whole(self, turn: HybridTurn) -> Generator[str, None, Hybrid]:
        try:
            return (yield from turn.answer())
        except ModelError:
            self.ended = "broken"
            raise
