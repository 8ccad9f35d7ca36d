"""A conversation with the twin: recall as in training, one renderer, stored with its prompt and its receipts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from core.dataset.build import renderer_of
from core.dataset.scenes import scene_of
from core.dates import DateSpan, as_of_request
from core.errors import UsageError
from core.models.causal_lm import CausalLM
from core.models.roles import check_role, embedder_of
from core.prompts.render import Message, PromptTurn
from core.recall.recollect import Asked, Recollection
from core.recall.run import load_recollector, recallable_words
from core.store.adapters import AdapterRow, active_adapter, find_adapter
from core.store.sessions import add_memories, add_message, add_receipts, begin_session
from core.store.texts import recall_only_texts
from core.twin.receipts import PrivateWords, Receipt, receipts_of
from core.twin.speech import LlamaVoice, Manner, TransformersVoice, Voice
from core.workspace import Workspace

CONTEXT_TOKENS = 2048
"""Least room for prompt and answer together; a longer training sample asks for more."""
BASE_ONLY = "base"
"""The name that asks for the bare base model instead of an adapter."""


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


class Twin:
    """Loads what the workspace names and answers; every question and answer is stored in one session."""

    def __init__(self, workspace: Workspace, options: ChatOptions) -> None:
        self._workspace = workspace
        self._options = options
        self._before = _as_of_day(options.as_of)
        settings = workspace.settings
        check_role("persona", settings.models.persona)
        self._context = max(CONTEXT_TOKENS, settings.dataset.max_tokens + options.manner.max_tokens)
        self.adapter = _adapter(workspace, options.adapter)
        base = self.adapter.base if self.adapter else settings.models.persona.model
        self._renderer = renderer_of(workspace, base)
        judge = CausalLM(settings.models.judge.model) if options.memories else None
        self._recollector = load_recollector(workspace, judge)[0] if judge else None
        self._embedder = embedder_of(settings)
        self._accept = recallable_words(workspace)
        self._private = PrivateWords(recall_only_texts(workspace.database), settings.privacy.verbatim_words)
        self._voice: Voice
        if settings.models.persona.engine == "llama.cpp":
            self._voice = LlamaVoice(workspace, base, self.adapter, self._context)
        else:
            model = judge if judge is not None and judge.name == base else CausalLM(base)
            self._voice = TransformersVoice(workspace, model, self.adapter)
        # The same precision as a dated interview's scene: what the twin was trained on.
        self._date = DateSpan.parse(options.as_of).iso() if options.as_of else date.today().isoformat()
        self._scene = scene_of(settings, workspace.target, self._date, (options.speaker,))
        self._turns: list[PromptTurn] = []
        self._guarded = False
        with workspace.database.write():
            self._session = begin_session(
                workspace.database, self.adapter.id if self.adapter else None, options.as_of, _now()
            )

    @property
    def engine(self) -> str:
        return self._voice.engine

    def answer(self, question: str) -> Iterator[str | Answer]:
        """Yield the answer's words as they may be shown, then the stored ``Answer``. Raises ModelError.

        Once a passage that must not be repeated has been recalled, answers are held back until they are whole.
        """
        recollections = self._recall(question)
        turn = PromptTurn(question, "", tuple(each.remembered() for each in recollections))
        prompt = self._renderer.prompt(self._fitting(turn))
        shown: list[str] = []
        pieces = self._voice.speak(prompt, self._renderer.tokenizer.encode(prompt), self._options.manner)
        self._guarded = self._guarded or any(each.found.passage.use == "recall" for each in recollections)
        if self._guarded:
            pieces = iter([self._private.redact("".join(pieces))])
        for piece in pieces:
            shown.append(piece)
            yield piece
        text = "".join(shown).strip()
        receipts = tuple(receipts_of(text, recollections, self._embedder))
        self._turns.append(PromptTurn(question, "", turn.memories, text))
        message_id = self._store(question, text, prompt, recollections, receipts)
        yield Answer(text, prompt, tuple(recollections), receipts, message_id)

    def close(self) -> None:
        self._voice.close()

    def _recall(self, question: str) -> list[Recollection]:
        if self._recollector is None:
            return []
        asked = Asked(question, self._options.speaker, self._before)
        return self._recollector.useful(self._recollector.recollect(asked, self._accept))

    def _fitting(self, turn: PromptTurn) -> list[Message]:
        """The messages of the conversation so far; the oldest turns are dropped when the context is full."""
        room = self._context - self._options.manner.max_tokens
        turns = [*self._turns, turn]
        while True:
            messages = self._renderer.messages(self._scene, turns)
            if len(turns) == 1 or self._renderer.tokenizer.count(self._renderer.prompt(messages)) <= room:
                return messages
            turns = turns[1:]

    def _store(
        self,
        question: str,
        text: str,
        prompt: str,
        recollections: list[Recollection],
        receipts: tuple[Receipt, ...],
    ) -> int:
        database = self._workspace.database
        manner = self._options.manner
        settings = {
            "engine": self._voice.engine,
            "adapter": self.adapter.name if self.adapter else None,
            "temperature": manner.temperature,
            "seed": manner.seed,
            "max_tokens": manner.max_tokens,
        }
        with database.write():
            add_message(database, self._session, "user", self._options.speaker, question, "", {}, _now())
            message_id = add_message(
                database, self._session, "assistant", self._workspace.target, text, prompt, settings, _now()
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


def _adapter(workspace: Workspace, name: str | None) -> AdapterRow | None:
    if name == BASE_ONLY:
        return None
    if name is None:
        return active_adapter(workspace.database)
    found = find_adapter(workspace.database, name)
    if found is None:
        raise UsageError(f"no adapter {name!r} here", "see `simulee adapters list`, or --adapter base")
    return found


def _as_of_day(text: str) -> int | None:
    if not text:
        return None
    day = as_of_request(text)
    if day is None:
        raise UsageError(f"{text!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    return day


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
