"""The serving run's thread: the loaded parts, and one answer after another over them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.prompts.render import PromptTurn
from core.store.adapters import list_adapters
from core.store.identity import content_uid
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.parts import BASE_ONLY, Parts
from core.twin.protocol import PARTS, TWIN_MODEL, Begun, ChatRequest, Finished, SentMemory, SentReceipt
from core.twin.receipts import shown_title
from core.twin.speech import Manner
from core.workspace import Workspace

KNOWN = 1000
"""Conversations that are known by what was said in them."""


class Refusal(Exception):
    """A request that is answered with an error of OpenAI's form."""

    def __init__(self, status: int, message: str, code: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.kind = status, message, code, kind

    def body(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.code}}


@dataclass(frozen=True, slots=True)
class _Known:
    """A conversation that a client may send again whole: its session, and what was told before that began."""

    session: int | None
    told: tuple[PromptTurn, ...]


class ServedTwin:
    """The other thread's side: the loaded parts, and conversations over them."""

    def __init__(self, root: Path, tell: Callable[[int, str], None]) -> None:
        """Open the workspace in this thread and load what every answer needs. Raises ModelError, Interrupted."""
        self._done = 0
        self._say = tell
        self._parts = Parts(Workspace.open(root), self._tell)
        self._known: dict[str, _Known] = {}
        """What was said so far → its session, for clients that send it all again."""
        try:
            _ = self._parts.recollector
            self._parts.voice(self._parts.adapter(None))
        except BaseException:
            self._parts.close()
            raise

    def close(self) -> None:
        self._parts.close()
        self._parts.workspace.database.close()

    def models(self) -> list[str]:
        """The names that a request may ask for."""
        return [TWIN_MODEL, BASE_ONLY, *(each.name for each in list_adapters(self._parts.workspace.database))]

    def answer(self, asked: ChatRequest, is_unwanted: Callable[[], bool]) -> Iterator[Begun | str | Answer]:
        """One answer; it ends early, stored as far as it went, once nobody wants it. Raises Refusal, UsageError."""
        question = asked.messages[-1].content.strip()
        if not question and not asked.again:
            raise Refusal(400, "there is no question", "bad_request")
        if is_unwanted():
            return
        said = [each.content.strip() for each in asked.messages if each.role in ("user", "assistant")]
        known = self._known.get(content_uid(said[:-1])) or _Known(asked.session, _told(asked))
        if asked.session is not None:
            known = _Known(asked.session, ())
        conversation = Conversation(self._parts, self._options(asked), known.session, known.told)
        answering = conversation.again() if asked.again else conversation.ask(question)
        assert conversation.session_id is not None
        yield Begun(session_id=conversation.session_id)
        try:
            for event in answering:
                if isinstance(event, Answer) and asked.session is None:
                    self._remember([*said, event.text], _Known(event.session_id, known.told))
                yield event
                if is_unwanted():
                    return
        finally:
            answering.close()

    def _options(self, asked: ChatRequest) -> ChatOptions:
        name = asked.adapter if asked.adapter is not None else None if asked.model == TWIN_MODEL else asked.model
        if name is not None and name not in self.models():
            raise Refusal(404, f"there is no model {name!r} here: GET /v1/models lists them", "model_not_found")
        seed = random.randrange(2**31) if asked.seed is None else asked.seed  # noqa: S311
        most = asked.max_completion_tokens or asked.max_tokens or Manner().max_tokens
        speaker = asked.messages[-1].name or asked.speaker
        manner = Manner(most, asked.temperature, seed)
        return ChatOptions(name, asked.memories, asked.as_of, speaker, manner, asked.hybrid)

    def _remember(self, said: list[str], known: _Known) -> None:
        self._known[content_uid(said)] = known
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    def _tell(self, what: str) -> None:
        self._say(min(self._done, PARTS - 1), what)
        self._done += 1


def finished(answer: Answer) -> Finished:
    """What an answer rests on, as it is sent. What may be recalled but not shown keeps its words to itself."""
    return Finished(
        session_id=answer.session_id,
        message_id=answer.message_id,
        receipts=[
            SentReceipt(sentence=each.sentence, chunk=None, score=each.score, kind=each.kind)
            if each.source is None
            else SentReceipt(
                sentence=each.sentence,
                chunk=f"k{each.source.found.passage.chunk.id}",
                title=shown_title(each.source.found.passage),
                date=each.source.found.passage.date,
                score=each.score,
                kind=each.kind,
                passage=each.source.found.passage.chunk.text if each.source.found.passage.use == "train" else None,
            )
            for each in answer.receipts
        ],
        memories=[
            SentMemory(
                chunk=f"k{each.found.passage.chunk.id}",
                title=shown_title(each.found.passage),
                date=each.found.passage.date,
                text=each.retold.text if each.found.passage.use == "train" else None,
            )
            for each in answer.recollections
        ],
        missed=list(answer.missed),
        hybrid=answer.hybrid is not None and answer.hybrid.outcome != "plain",
        fell_back=answer.hybrid.why if answer.hybrid else "",
    )


def _told(asked: ChatRequest) -> tuple[PromptTurn, ...]:
    """The turns before a request's question."""
    earlier = [each for each in asked.messages[:-1] if each.role in ("user", "assistant")]
    return tuple(
        PromptTurn(one.content, one.name or asked.speaker, (), other.content)
        for one, other in zip(earlier[::2], earlier[1::2], strict=False)
        if (one.role, other.role) == ("user", "assistant")
    )
