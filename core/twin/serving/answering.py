"""The twin's thread: the loaded parts, the store, and conversations over them. Nothing here is called on another one,
but for ``session_of``, which only looks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.prompts.commands import Command
from core.prompts.render import PromptTurn
from core.store.adapters import list_adapters
from core.store.sessions import session_messages
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.parts import BASE_ONLY, LONGEST_ANSWER, Parts
from core.twin.protocol import (
    EMBEDDER_MODEL,
    PARTS,
    TWIN_MODEL,
    Begun,
    ChatRequest,
    CompletionRequest,
    Finished,
    SentMemory,
    SentReceipt,
    Speech,
)
from core.twin.receipts import shown_title
from core.twin.serving.heard import Heard
from core.twin.serving.refusals import Refusal, bad_request
from core.twin.speaking import Prepared, Speaking
from core.twin.speech import Finish, Manner, Reading, check_continues
from core.workspace import Workspace

KNOWN = 1000
"""Conversations that are known by what was said in them."""
BIAS_UNHEEDED = "logit_bias is not heeded by this engine"
SEED_UNSURE = "seed promises no same words: another program speaks"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One finished choice. Tokens are the prompt's and the answer's."""

    text: str
    finish: Finish
    tokens: tuple[int, int]
    extension: Finished | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A conversation that a client may send again whole: its session, the answer with which it stood at this point,
    and what was told before it began."""

    session: int
    message_id: int
    told: tuple[PromptTurn, ...]


class Talk:
    """One chat request under way. What ``first`` and ``further`` prepare must be finished, and then ``end`` follow."""

    def __init__(
        self,
        parts: Parts,
        conversation: Conversation,
        first: Prepared,
        remember: Callable[[Answer], None],
        notes: list[str],
    ) -> None:
        self.first = first
        self._parts = parts
        self.begun: Begun | None = Begun(session_id=first.session_id, notes=notes)
        self._conversation = conversation
        self._remember = remember
        self._notes = notes
        # Between two choices nobody listens to the voices, and they must not make room for others.
        parts.borrow(*first.voices)

    def further(self, choice: int) -> Prepared:
        """The same question for a choice beside the first."""
        return self._conversation.once_more(self.first, self.first.manner.seed + choice)

    def followed(self, prepared: Prepared, commands: Sequence[Command], said: str) -> Prepared:
        """What the answer goes on from, once the twin has asked for its memories, having said so much."""
        return self._conversation.followed(prepared, commands, said)

    def ahead(self) -> Callable[[], None] | None:
        """What may be done on any thread for the next question while nobody asks; None where there is nothing.
        ``ahead_done`` must follow."""
        self._conversation.look_ahead()
        voice = self.first.voice
        if not isinstance(voice, Reading) or not (tokens := self._conversation.ahead(self.first)):
            return None
        self._parts.borrow(voice)
        return lambda: voice.read(tokens)

    def ahead_done(self) -> None:
        """Let go of what ``ahead`` kept."""
        self._parts.give_back(self.first.voice)

    def finish(self, prepared: Prepared, speaking: Speaking) -> Spoken | None:
        """Store what was spoken; None where it was stopped before a word."""
        answer = self._conversation.finish(prepared, speaking)
        if answer is None:
            return None
        self._remember(answer)
        return Spoken(answer.text, answer.finish, answer.tokens, finished(answer, self._notes))

    def end(self) -> None:
        """Let go of the voices."""
        for voice in self.first.voices:
            self._parts.give_back(voice)


class Continuation:
    """One raw completion under way: stored nowhere, guarded as the strictest answer is."""

    begun: Begun | None = None

    def __init__(self, parts: Parts, first: Prepared, count: Callable[[str], int]) -> None:
        self.first = first
        self._parts = parts
        self._count = count
        parts.borrow(first.voice)

    def further(self, choice: int) -> Prepared:
        """The same prompt with another seed."""
        self._parts.borrow(self.first.voice)
        return replace(self.first, manner=replace(self.first.manner, seed=self.first.manner.seed + choice))

    def followed(self, prepared: Prepared, commands: Sequence[Command], said: str) -> Prepared:
        """A raw continuation asks for nothing."""
        raise AssertionError(f"a raw continuation was prepared to ask: {commands[0].text}")

    def ahead(self) -> None:
        """Nobody knows what comes next."""

    def ahead_done(self) -> None:
        """Nothing was kept."""

    def finish(self, prepared: Prepared, speaking: Speaking) -> Spoken | None:
        """What was spoken, as it was."""
        self._parts.give_back(prepared.voice, broken=speaking.ended == "broken")
        if speaking.ended != speaking.finish:
            return None
        return Spoken(speaking.raw, speaking.finish, (len(prepared.tokens), self._count(speaking.raw)))

    def end(self) -> None:
        """Let go of the voice."""
        self._parts.give_back(self.first.voice)


class ServedTwin:
    """The loaded parts, and what clients ask of them."""

    def __init__(self, root: Path, tell: Callable[[int, str], None], slots: int, run: str = "") -> None:
        """Open the workspace in this thread and load what every answer needs, for the run of this id. Raises
        ModelError, Interrupted."""
        self._done = 0
        self._is_loaded = False
        self._say = tell
        self._parts = Parts(Workspace.open(root), self._tell, slots, run)
        self._known: dict[str, _Known] = {}
        """What was said so far → its session, for clients that send it all again."""
        try:
            _ = self._parts.recollector
            self._parts.voice(self._parts.adapter(None))
            self._is_loaded = True
        except BaseException:
            self._parts.close()
            raise

    def close(self) -> None:
        self._parts.close()
        self._parts.workspace.database.close()

    def stop(self) -> None:
        """End what voices of other programs are saying, and let them say no more; for any thread."""
        self._parts.stop()

    def models(self) -> list[str]:
        """The names that a request may ask for, the embedder's last."""
        return [*self._voices(), EMBEDDER_MODEL]

    def session_of(self, asked: ChatRequest, heard: Heard) -> str:
        """What a request's answer must wait for: its session, where it goes on with one. For any thread."""
        if asked.session is not None:
            return str(asked.session)
        known = self._known.get(heard.history)
        return str(known.session) if known else ""

    def prepare(self, asked: ChatRequest, heard: Heard) -> Talk:
        """Store the question and prepare its first answer. Raises Refusal, UsageError, ModelError, ConsentError."""
        self._parts.refresh()
        manner = self._manner(asked, asked.max_completion_tokens or asked.max_tokens)
        options = ChatOptions(
            self._adapter_name(asked, asked.adapter), asked.memories, asked.as_of, heard.asker, manner, asked.hybrid
        )
        session, told, again = asked.session, heard.turns, asked.again
        if session is not None:
            told = ()
        elif known := self._known.get(heard.history):
            stands, retried = self._stands(known, heard)
            if stands or retried:
                session, told, again = known.session, known.told, retried
        conversation = Conversation(self._parts, options, session, told)
        first = conversation.prepare_again() if again else conversation.prepare(heard.question)

        def remember(answer: Answer) -> None:
            if asked.session is None:
                known = _Known(answer.session_id, answer.message_id, tuple(told))
                self._known[heard.history_with(answer.text)] = known
                if len(self._known) > KNOWN:
                    del self._known[next(iter(self._known))]

        unheeded = [BIAS_UNHEEDED] if manner.logit_bias and not first.voice.takes_bias else []
        unsure = [SEED_UNSURE] if asked.seed is not None and first.voice.host and not first.voice.repeatable else []
        return Talk(self._parts, conversation, first, remember, [*asked.passed_over(), *unheeded, *unsure])

    def prepare_completion(self, asked: CompletionRequest) -> Continuation:
        """Prepare a raw continuation. Raises Refusal, UsageError, ModelError."""
        self._parts.refresh()
        check_continues(self._parts.workspace.settings, "/v1/completions")
        adapter = self._parts.adapter(self._adapter_name(asked, None))
        renderer = self._parts.renderer(self._parts.base(adapter))
        manner = self._manner(asked, asked.max_tokens)
        tokens = tuple(renderer.tokenizer.encode(asked.prompt))
        if not tokens:
            raise bad_request("there is no prompt")
        room = self._parts.context - manner.max_tokens
        if len(tokens) > room:
            raise bad_request(f"the prompt has {len(tokens)} tokens, and there is room for {room}")
        voice = self._parts.voice(adapter)
        first = Prepared(0, asked.prompt, tokens, manner, voice, self._parts.withheld())
        self._parts.borrow(voice)
        return Continuation(self._parts, first, renderer.tokenizer.count)

    def embedder(self, model: str) -> str:
        """The embedder's own name, where a request may call it so. Raises Refusal."""
        own = self._parts.workspace.settings.models.embedder.model
        if model not in (EMBEDDER_MODEL, own):
            raise Refusal(404, f"there is no embedder {model!r} here, only {EMBEDDER_MODEL!r}", "model_not_found")
        return own

    def embed(self, texts: list[str], first: int) -> tuple[NDArray[np.float32], int]:
        """Vectors of shape (texts, dimension) and how many tokens were read; ``first`` is the place of the first text
        in its request. Raises Refusal for a text that the embedder does not read to its end."""
        embedder = self._parts.recollector.embedder
        counts = [embedder.count_tokens(text) for text in texts]
        most = embedder.spec.max_tokens - 2
        for place, count in enumerate(counts, first):
            if count > most:
                raise bad_request(f"input.{place} has {count} tokens, and the embedder reads {most}: cut it up")
        return embedder.embed(texts), sum(counts)

    def _stands(self, known: _Known, heard: Heard) -> tuple[bool, bool]:
        """Whether a session stands where a client's history ends; or has had only this question since, so that the
        client wants another answer to it. Else it is gone, or has gone another way, and the client's history is told
        anew."""
        messages = session_messages(self._parts.workspace.database, known.session)
        if not any(each.id == known.message_id for each in messages):
            return False, False
        since = [each for each in messages if each.id > known.message_id]
        asked = [each for each in since if each.role == "user"]
        retried = len(asked) == 1 and since[0] is asked[0] and asked[0].text == heard.question
        return not since, retried

    def _voices(self) -> list[str]:
        return [TWIN_MODEL, BASE_ONLY, *(each.name for each in list_adapters(self._parts.workspace.database))]

    def _adapter_name(self, asked: Speech, adapter: str | None) -> str | None:
        """The adapter that a request names, None for the one in use. Raises Refusal."""
        name = adapter if adapter is not None else None if asked.model == TWIN_MODEL else asked.model
        if name is not None and name not in self._voices():
            raise Refusal(404, f"there is no model {name!r} here: GET /v1/models lists them", "model_not_found")
        return name

    def _manner(self, asked: Speech, max_tokens: int | None) -> Manner:
        seed = random.randrange(2**31) if asked.seed is None else asked.seed  # noqa: S311
        most = min(max_tokens or Manner().max_tokens, LONGEST_ANSWER, self._parts.workspace.settings.twin.max_tokens)
        return Manner(most, asked.temperature, seed, stop=asked.stop, logit_bias=tuple(asked.logit_bias.items()))

    def _tell(self, what: str) -> None:
        """A twin that answers is whole, whatever it loads later."""
        self._say(PARTS if self._is_loaded else min(self._done, PARTS - 1), what)
        self._done += 1


def finished(answer: Answer, notes: list[str]) -> Finished:
    """What an answer rests on, as it is sent. What may be recalled but not shown keeps its words to itself."""
    return Finished(
        session_id=answer.session_id,
        notes=notes,
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
