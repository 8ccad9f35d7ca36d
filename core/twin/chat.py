"""A conversation with the twin: recall as it is measured, one renderer, stored with its prompt and its receipts.

An answer has three steps. What is asked is prepared and stored (``prepare``), spoken (``core.twin.speaking``, which
touches neither the store nor the recollector, so that several can speak at once), and what was spoken is stored
(``finish``). Whatever was prepared must be finished, spoken or not: until then its voice is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from core.dataset.scenes import scene_of
from core.dates import DateSpan, as_of_request
from core.errors import UsageError
from core.prompts.commands import Command
from core.prompts.messages import Message
from core.prompts.render import PromptTurn, RecalledMemory
from core.recall.asked import Asked
from core.recall.load import recallable_words
from core.recall.recollect import Recollection
from core.store.adapters import AdapterRow, list_adapters
from core.store.chunks import Passage
from core.store.datasets import dataset_of
from core.store.sessions import (
    add_memories,
    add_message,
    add_receipts,
    begin_session,
    session_adapter,
    session_messages,
)
from core.twin.abstaining import asks_for_facts, unknown_answer
from core.twin.context import fitted
from core.twin.hybrid.facts import facts_of
from core.twin.hybrid.simulation import begun_log, log_of, simulating_adapter
from core.twin.hybrid.turn import Hybrid, HybridTurn
from core.twin.leaving import check_sendable, sendable
from core.twin.parts import LONGEST_ANSWER, Parts, Tell
from core.twin.receipts import Receipt, honest, receipts_of
from core.twin.speaking import Asking, Prepared, Speaking
from core.twin.speech import Finish, Manner
from core.twin.statements import bearing_on, facts_before
from core.twin.transcript import PastTurns, past_turns
from core.workspace import Workspace

CONTEXT_WORDS = 60
"""Last words of the turn before, with which a question is looked for once more."""
MOST_COMMANDS = 2
"""How often the twin may ask for its memories in one answer."""
BY_RULE = "rule"
"""The engine of an answer that no model spoke."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to talk. ``adapter`` None takes the one in use, ``base`` none at all; ``as_of`` is a date or empty."""

    adapter: str | None = None
    memories: bool = True
    as_of: str = ""
    speaker: str = ""
    manner: Manner = field(default_factory=Manner)
    hybrid: bool = False
    """Whether an answer is merged from facts and a simulated chat; it is then shown when it is whole."""
    tell: Tell = lambda _: None
    """Told what is being done while there are no words yet, in hybrid mode."""


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
    unknown: bool = False
    """Whether nothing supports an answer, so that the twin says that it does not know."""
    told_in_lines: int = 0
    """Turns before, which the model read in a line each."""
    repeatable: bool = True
    """Whether the same question with the same seed gives the same words."""
    hybrid: Hybrid | None = None
    """How it came about in hybrid mode; None for any other answer."""


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
        most = min(LONGEST_ANSWER, self._workspace.settings.twin.max_tokens)
        self._length = min(self._options.manner.max_tokens, most)

    def ask(self, question: str) -> Generator[str | Answer, None, None]:
        """Yield the answer's words as they may be shown, then the stored ``Answer``.

        The question is stored before the first word; an answer that is closed before its end is stored as far as it
        went. Raises UsageError for a question that the model has no room for, ModelError.
        """
        return self._spoken(self.prepare(question))

    def again(self) -> Generator[str | Answer, None, None]:
        """Answer the session's last question once more, as ``ask`` does. Raises UsageError when there is none."""
        return self._spoken(self.prepare_again())

    def _spoken(self, prepared: Prepared) -> Generator[str | Answer, None, None]:
        answer: Answer | None = None
        while True:
            speaking = Speaking(prepared)
            words = iter(speaking)
            try:
                yield from words
            finally:
                words.close()
                if speaking.command is None:
                    answer = self.finish(prepared, speaking)
            if speaking.command is None:
                break
            prepared = self.followed(prepared, speaking.command)
        if answer is not None:
            yield answer

    def followed(self, prepared: Prepared, command: Command) -> Prepared:
        """What the answer goes on from once the twin has asked for its memories. Raises UsageError, ModelError."""
        asking = prepared.asking
        assert asking is not None
        self._parts.give_back(prepared.voice)
        found, missed = self._commanded(command, asking.speaker)
        memories = tuple(each.remembered() for each in found)
        if command.name == "today":
            memories = (RecalledMemory(f"It is {self._when}."),)
        facts = self._facts(asking.question)
        turn = PromptTurn(asking.question, asking.speaker, (*facts, *memories), command=command.text)
        again = replace(asking, commands=asking.commands + 1)
        return self._rendered(turn, again, facts, found, (*prepared.missed, *missed), "")

    def _commanded(self, command: Command, speaker: str) -> tuple[list[Recollection], tuple[str, ...]]:
        """What comes back for a command."""
        if command.name == "today":
            return [], ()
        after = DateSpan.parse(command.after)
        before = DateSpan.parse(command.before)
        days = [day for day in (self._before, before.first if before.known else None) if day is not None]
        words = recallable_words(self._workspace)

        def accept(passage: Passage) -> bool:
            late = not after.known or passage.chunk.last_day > after.last
            return late and words(passage) and (command.name == "recall" or passage.kind == "journal")

        recollector = self._parts.recollector
        recalled = recollector.recollect(Asked(command.words, speaker, min(days) if days else None), accept)
        useful, kept = self._sendable(recollector.useful(recalled.memories))
        return useful, (*(str(each) for each in recalled.parked), *kept)

    def _sendable(self, recollections: Sequence[Recollection]) -> tuple[list[Recollection], tuple[str, ...]]:
        """The memories that a prompt for this voice may show, and a line for each that it may not."""
        return sendable(self._workspace, self._parts.voice(self.adapter), recollections)

    def prepare(self, question: str) -> Prepared:
        """Store a question, and recall and render what its answer is spoken from. Raises UsageError, ModelError."""
        self._check_length(question)
        past = self._past(None)
        database = self._workspace.database
        with database.write():
            if self.session_id is None:
                adapter_id = self.adapter.id if self.adapter else None
                self.session_id = begin_session(database, adapter_id, self._options.as_of, _now())
            add_message(database, self.session_id, "user", self._options.speaker, question, "", {}, _now())
        return self._prepared(question, self._options.speaker, past)

    def prepare_again(self) -> Prepared:
        """The same for the session's last question. Raises UsageError when there is none."""
        asked = session_messages(self._workspace.database, self.session_id) if self.session_id is not None else []
        last = next((each for each in reversed(asked) if each.role == "user"), None)
        if last is None:
            raise UsageError("nothing was asked yet", "ask something first")
        return self._prepared(last.text, last.speaker, self._past(last.id))

    def once_more(self, prepared: Prepared, seed: int) -> Prepared:
        """The same question, to be answered beside its first answer with another seed."""
        self._parts.borrow(prepared.voice)
        if prepared.hybrid is not None:
            self._parts.borrow(prepared.hybrid.voice)
        return replace(prepared, manner=replace(prepared.manner, seed=seed))

    def finish(self, prepared: Prepared, speaking: Speaking) -> Answer | None:
        """Store what was spoken, with its receipts; None for an answer without a word that did not come to its end."""
        simulating = prepared.hybrid is not None and speaking.hybrid is None and speaking.ended == "broken"
        if prepared.hybrid is not None:
            self._parts.give_back(prepared.hybrid.voice, broken=simulating)
        self._parts.give_back(prepared.voice, broken=speaking.ended == "broken" and not simulating)
        text = speaking.text
        if not text and speaking.ended != speaking.finish:
            return None
        receipts = honest(text) if prepared.unknown else self._receipts(text, prepared.recollections)
        message_id = self._store(prepared, speaking, text, receipts)
        counted = (len(prepared.tokens), self._renderer.tokenizer.count(text))
        return Answer(
            text, prepared.prompt, prepared.recollections, receipts, message_id, prepared.session_id, speaking.finish,
            counted, prepared.missed, bool(prepared.unknown), prepared.told_in_lines, prepared.voice.repeatable,
            speaking.hybrid,
        )  # fmt: skip

    def _prepared(self, question: str, speaker: str, past: PastTurns) -> Prepared:
        turns = [*self._told, *past.turns]
        asking = Asking(question, speaker, past)
        facts = self._facts(question)
        if self._may_ask:
            return self._rendered(PromptTurn(question, speaker, tuple(facts)), asking, facts, [], (), "")
        recollections, missed, unknown = self._recall(question, speaker, turns[-1] if turns else None)
        turn = PromptTurn(question, speaker, (*facts, *(each.remembered() for each in recollections)))
        silent = unknown_answer(self._workspace, question) if unknown and not facts else ""
        return self._rendered(turn, asking, facts, recollections, missed, silent)

    @property
    def _may_ask(self) -> bool:
        """Whether the twin asks for its memories itself."""
        tools = self._workspace.settings.twin.tools
        if not self._options.memories or self._options.hybrid or tools == "off":
            return False
        dataset = dataset_of(self._workspace.database, self.adapter.dataset_id or 0) if self.adapter else None
        return tools == "on" or bool(dataset and dataset.settings.get("tools"))

    def _rendered(
        self,
        turn: PromptTurn,
        asking: Asking,
        facts: Sequence[RecalledMemory],
        recollections: Sequence[Recollection],
        missed: tuple[str, ...],
        silent: str,
    ) -> Prepared:
        past = asking.past
        voice = self._parts.voice(self.adapter)
        about = tuple(dict.fromkeys([*past.owners, *(each.found.passage.owner_uid for each in recollections)]))
        check_sendable(self._workspace, voice, past, about)
        turns = [*self._told, *past.turns]
        messages, told = self._fitting([*turns, turn])
        prompt = self._renderer.prompt(messages)
        assert self.session_id is not None
        hybrid = None
        if self._options.hybrid and not silent:
            hybrid = self._hybrid_turn([*turns, turn], facts, recollections)
            self._parts.borrow(hybrid.voice)
        self._parts.borrow(voice)
        return Prepared(
            self.session_id,
            prompt,
            tuple(self._renderer.tokenizer.encode(prompt)),
            replace(self._options.manner, max_tokens=self._length),
            voice,
            self._parts.withheld(),
            tuple(recollections),
            missed,
            silent,
            told,
            about,
            asking if self._may_ask and asking.commands < MOST_COMMANDS else None,
            hybrid,
        )

    def _hybrid_turn(
        self,
        turns: Sequence[PromptTurn],
        facts: Sequence[RecalledMemory],
        recollections: Sequence[Recollection],
    ) -> HybridTurn:
        """What the answer to the last turn is made from in hybrid mode. Raises UsageError, ModelError."""
        parts, workspace = self._parts, self._workspace
        adapter = simulating_adapter(workspace, self.adapter)
        renderer = self._renderer if adapter == self.adapter else parts.renderer(parts.base(adapter))
        length = workspace.settings.twin.simulation_tokens
        last = turns[-1]
        return HybridTurn(
            workspace=workspace,
            recollector=parts.recollector,
            voice=parts.voice(adapter),
            adapter=adapter.name if adapter else "",
            log=begun_log(renderer, log_of(turns, workspace.target), workspace.target, parts.context - length),
            manner=replace(self._options.manner, max_tokens=length),
            question=last.question,
            asker=last.asker,
            facts=facts_of(facts, recollections, turns[:-1]),
            known=list(dict.fromkeys(turn.asker for turn in turns if turn.asker)),
            withheld=parts.withheld(),
            style=parts.style(),
            tell=self._options.tell,
        )

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

    def _recall(
        self, question: str, speaker: str, last: PromptTurn | None
    ) -> tuple[list[Recollection], tuple[str, ...], bool]:
        """The memories that the prompt shows, why some that were asked of a model are not among them, and whether
        nothing that was found supports an answer."""
        if not self._options.memories:
            return [], (), False
        recollector = self._parts.recollector
        context = " ".join(f"{last.question} {last.answer or ''}".split()[-CONTEXT_WORDS:]) if last else ""
        asked = Asked(question, speaker, self._before, context=context)
        recalled = recollector.recollect(asked, recallable_words(self._workspace))
        useful, kept = self._sendable(recollector.useful(recalled.memories))
        twin = self._workspace.settings.twin
        unknown = twin.abstain and not recalled.parked and asks_for_facts(question)
        if unknown and useful:
            words = f"{context}\n{question}" if context else question
            vectors = recollector.embedder.embed([question, words, *(each.retold.text for each in useful)])
            unknown = float((vectors[2:] @ vectors[:2].T).max()) < twin.support
        return useful, (*(str(each) for each in recalled.parked), *kept), unknown

    def _facts(self, question: str) -> list[RecalledMemory]:
        """The facts that a person stated and that bear on the question; they stand before every memory."""
        facts = facts_before(self._workspace, self._before)
        return list(bearing_on(question, facts, self._parts.recollector.embedder)) if facts else []

    def _receipts(self, text: str, recollections: Sequence[Recollection]) -> tuple[Receipt, ...]:
        # Where nothing was recalled no sentence has support, and no model is needed to say so.
        matcher = self._parts.matcher if recollections else None
        return tuple(receipts_of(text, recollections, matcher, self._parts.inference if recollections else None))

    def _check_length(self, question: str) -> None:
        room = self._parts.context - self._length
        if self._renderer.tokenizer.count(question) > room:
            raise UsageError(f"the question is longer than the {room} tokens that the twin reads", "ask in fewer words")

    def _fitting(self, turns: list[PromptTurn]) -> tuple[list[Message], int]:
        """The messages of the conversation so far, and how many turns are told in a line for want of room."""
        # What several people asked together names them itself.
        names = dict.fromkeys(name for turn in turns for name in turn.asker.split(" and ") if name)
        scene = scene_of(self._workspace.settings, self._workspace.target, self._when, tuple(names))

        def render(shown: Sequence[PromptTurn], earlier: Sequence[str]) -> list[Message]:
            # What several people asked together names them itself.
            plain = [turn if len(names) > 1 and turn.asker in names else replace(turn, asker="") for turn in shown]
            return self._renderer.messages(replace(scene, earlier=tuple(earlier)), plain)

        def count(messages: Sequence[Message]) -> int:
            return self._renderer.tokenizer.count(self._renderer.prompt(messages))

        return fitted(turns, render, count, self._parts.context - self._length)

    @property
    def _when(self) -> str:
        """The day of the talk, in the precision of a dated interview's scene: what the twin was trained on."""
        as_of = self._options.as_of
        return DateSpan.parse(as_of).iso() if as_of else date.today().isoformat()

    def _store(self, prepared: Prepared, speaking: Speaking, text: str, receipts: tuple[Receipt, ...]) -> int:
        database = self._workspace.database
        manner = prepared.manner
        settings: dict[str, Any] = {
            "engine": BY_RULE if prepared.unknown else prepared.voice.engine,
            "adapter": self.adapter.name if self.adapter else None,
            "temperature": manner.temperature,
            "seed": manner.seed,
            "max_tokens": manner.max_tokens,
            "memories": self._options.memories,
            "finish": speaking.ended,
            "repeatable": prepared.voice.repeatable,
        }
        if speaking.hybrid is not None:
            settings["hybrid"] = speaking.hybrid.stored() | {"prompt": speaking.hybrid.prompt}
        with database.write():
            message_id = add_message(
                database, prepared.session_id, "assistant", self._workspace.target, text, prepared.prompt, settings,
                _now(),
            )  # fmt: skip
            add_memories(
                database,
                message_id,
                [(each.found.passage.chunk.id, each.retold.text) for each in prepared.recollections],
            )
            add_receipts(
                database,
                message_id,
                [
                    (each.sentence, each.source.found.passage.chunk.id if each.source else None, each.score, each.kind)
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
