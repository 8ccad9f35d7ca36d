"""A conversation with the twin: recall as in training, one renderer, stored with its prompt and its receipts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from core.dataset.scenes import scene_of
from core.dates import DateSpan, as_of_request
from core.errors import ModelError, UsageError
from core.prompts.messages import Message
from core.prompts.render import PromptTurn
from core.recall.asked import Asked
from core.recall.load import recallable_words
from core.recall.recollect import Recollection
from core.store.adapters import AdapterRow, list_adapters
from core.store.sessions import (
    add_memories,
    add_message,
    add_receipts,
    begin_session,
    session_adapter,
    session_messages,
)
from core.twin.parts import LONGEST_ANSWER, Parts
from core.twin.receipts import Receipt, receipts_of
from core.twin.speech import Finish, Manner
from core.twin.transcript import PastTurns, past_turns
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to talk. ``adapter`` None takes the one in use, ``base`` none at all; ``as_of`` is a date or empty."""

    adapter: str | None = None
    memories: bool = True
    as_of: str = ""
    speaker: str = ""
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as it was shown."""

    text: str
    prompt: str
    recollections: tuple[Recollection, ...]
    receipts: tuple[Receipt, ...]
    message_id: int
    session_id: int
    finish: Finish
    tokens: tuple[int, int]
    """Of the prompt, and of the answer."""
    missed: tuple[str, ...] = ()
    """Why a model gave no memory where it was asked for one, once for each."""


class Conversation:
    """One session with the twin, from its first question or from where it was left."""

    def __init__(
        self, parts: Parts, options: ChatOptions, session_id: int | None = None, told: Sequence[PromptTurn] = ()
    ) -> None:
        """``told`` are turns that came before and are stored nowhere. Raises UsageError.

        A session keeps the adapter and the date with which it was begun.
        """
        self._parts = parts
        self._options = options
        self._told = tuple(told)
        self._workspace = parts.workspace
        self.session_id = session_id
        self.adapter = parts.adapter(options.adapter)
        if session_id is not None:
            self._go_on(session_id)
        self._before = _as_of_day(self._options.as_of)
        self._renderer = parts.renderer(parts.base(self.adapter))
        self._length = min(self._options.manner.max_tokens, LONGEST_ANSWER)

    def ask(self, question: str) -> Generator[str | Answer, None, None]:
        """Yield the answer's words as they may be shown, then the stored ``Answer``.

        The question is stored before the first word; an answer that is closed before its end is stored as far as it
        went. Once a passage that must not be repeated was recalled, answers are held back until they are whole.
        Raises UsageError for a question that the model has no room for, ModelError.
        """
        self._check_length(question)
        past = self._past(None)
        database = self._workspace.database
        with database.write():
            if self.session_id is None:
                adapter_id = self.adapter.id if self.adapter else None
                self.session_id = begin_session(database, adapter_id, self._options.as_of, _now())
            add_message(database, self.session_id, "user", self._options.speaker, question, "", {}, _now())
        return self._answer(question, self._options.speaker, past)

    def again(self) -> Generator[str | Answer, None, None]:
        """Answer the session's last question once more, as ``ask`` does. Raises UsageError when there is none."""
        asked = session_messages(self._workspace.database, self.session_id) if self.session_id is not None else []
        last = next((each for each in reversed(asked) if each.role == "user"), None)
        if last is None:
            raise UsageError("nothing was asked yet", "ask something first")
        return self._answer(last.text, last.speaker, self._past(last.id))

    def _answer(self, question: str, speaker: str, past: PastTurns) -> Generator[str | Answer, None, None]:
        recollections, missed = self._recall(question, speaker)
        turn = PromptTurn(question, speaker, tuple(each.remembered() for each in recollections))
        prompt = self._renderer.prompt(self._fitting([*self._told, *past.turns, turn]))
        tokens = self._renderer.tokenizer.encode(prompt)
        manner = replace(self._options.manner, max_tokens=self._length)
        voice = self._parts.voice(self.adapter)
        guarded = past.guarded or any(each.found.passage.use == "recall" for each in recollections)
        private = self._parts.private_words()
        shown: list[str] = []
        finish: Finish = "stop"
        ended = "stopped"
        speaking = voice.speak(prompt, tokens, manner)
        try:
            pieces: list[str] = []
            while True:
                try:
                    piece = next(speaking)
                except StopIteration as end:
                    finish = end.value
                    break
                if guarded:
                    pieces.append(piece)
                    continue
                shown.append(piece)
                yield piece
            if pieces:
                shown.append(private.redact("".join(pieces)))
                yield shown[-1]
            ended = finish
        except ModelError:
            ended = "broken"
            self._parts.drop_voice(voice)
            raise
        finally:
            speaking.close()
            text = "".join(shown).strip()
            if text or ended == finish:
                receipts = self._receipts(text, recollections)
                message_id = self._store(text, prompt, recollections, receipts, ended, voice.engine)
        assert self.session_id is not None
        counted = (len(tokens), self._renderer.tokenizer.count(text))
        yield Answer(text, prompt, tuple(recollections), receipts, message_id, self.session_id, finish, counted, missed)

    def _go_on(self, session_id: int) -> None:
        known = session_adapter(self._workspace.database, session_id)
        if known is None:
            raise UsageError(f"there is no session {session_id} here", "begin one without naming a session")
        adapter_id, as_of = known
        asked = self.adapter.id if self.adapter else None
        if self._options.adapter is None and asked != adapter_id:
            self.adapter = _adapter_of_session(self._parts, adapter_id)
        elif asked != adapter_id:
            raise UsageError(f"session {session_id} speaks with another adapter", "begin a new session for this one")
        if self._options.as_of and _as_of_day(self._options.as_of) != _as_of_day(as_of):
            raise UsageError(
                f"session {session_id} is set at {as_of or 'today'}", "begin a new session for another date"
            )
        self._options = replace(self._options, as_of=as_of)

    def _past(self, before: int | None) -> PastTurns:
        if self.session_id is None:
            return PastTurns()
        return past_turns(self._workspace, self.session_id, before)

    def _recall(self, question: str, speaker: str) -> tuple[list[Recollection], tuple[str, ...]]:
        """The memories that the prompt shows, and why some that were asked of a model are not among them."""
        if not self._options.memories:
            return [], ()
        recollector = self._parts.recollector
        asked = Asked(question, speaker, self._before)
        recalled = recollector.recollect(asked, recallable_words(self._workspace))
        return recollector.useful(recalled.memories), tuple(str(each) for each in recalled.parked)

    def _receipts(self, text: str, recollections: list[Recollection]) -> tuple[Receipt, ...]:
        # Where nothing was recalled no sentence has support, and no embedder is needed to say so.
        embedder = self._parts.recollector.embedder if recollections else None
        return tuple(receipts_of(text, recollections, embedder))

    def _check_length(self, question: str) -> None:
        room = self._parts.context - self._length
        if self._renderer.tokenizer.count(question) > room:
            raise UsageError(f"the question is longer than the {room} tokens that the twin reads", "ask in fewer words")

    def _fitting(self, turns: list[PromptTurn]) -> list[Message]:
        """The messages of the conversation so far; the oldest turns are dropped when the context is full."""
        room = self._parts.context - self._length
        while True:
            names = dict.fromkeys(turn.asker for turn in turns if turn.asker)
            # The same precision as a dated interview's scene: what the twin was trained on.
            as_of = self._options.as_of
            when = DateSpan.parse(as_of).iso() if as_of else date.today().isoformat()
            scene = scene_of(self._workspace.settings, self._workspace.target, when, tuple(names))
            shown = turns if len(names) > 1 else [replace(turn, asker="") for turn in turns]
            messages = self._renderer.messages(scene, shown)
            if len(turns) == 1 or self._renderer.tokenizer.count(self._renderer.prompt(messages)) <= room:
                return messages
            turns = turns[1:]

    def _store(
        self,
        text: str,
        prompt: str,
        recollections: list[Recollection],
        receipts: tuple[Receipt, ...],
        finish: str,
        engine: str,
    ) -> int:
        database = self._workspace.database
        manner = self._options.manner
        settings: dict[str, Any] = {
            "engine": engine,
            "adapter": self.adapter.name if self.adapter else None,
            "temperature": manner.temperature,
            "seed": manner.seed,
            "max_tokens": self._length,
            "memories": self._options.memories,
            "finish": finish,
        }
        assert self.session_id is not None
        with database.write():
            message_id = add_message(
                database, self.session_id, "assistant", self._workspace.target, text, prompt, settings, _now()
            )
            add_memories(
                database, message_id, [(each.found.passage.chunk.id, each.retold.text) for each in recollections]
            )
            add_receipts(
                database,
                message_id,
                [
                    (each.sentence, each.source.found.passage.chunk.id if each.source else None, each.score)
                    for each in receipts
                ],
            )
        return message_id


class Twin:
    """One conversation with parts of its own: what a command that answers and leaves needs."""

    def __init__(self, workspace: Workspace, options: ChatOptions, session_id: int | None = None) -> None:
        self._parts = Parts(workspace)
        self._conversation = Conversation(self._parts, options, session_id)
        if options.memories:
            _ = self._parts.recollector
        self._voice = self._parts.voice(self._conversation.adapter)

    @property
    def engine(self) -> str:
        return self._voice.engine

    def answer(self, question: str) -> Iterator[str | Answer]:
        """As ``Conversation.ask``."""
        return self._conversation.ask(question)

    def close(self) -> None:
        self._parts.close()


def _adapter_of_session(parts: Parts, adapter_id: int | None) -> AdapterRow | None:
    return next((each for each in list_adapters(parts.workspace.database) if each.id == adapter_id), None)


def _as_of_day(text: str) -> int | None:
    if not text:
        return None
    day = as_of_request(text)
    if day is None:
        raise UsageError(f"{text!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    return day


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
