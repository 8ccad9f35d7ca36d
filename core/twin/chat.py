"""A conversation with the twin: recall as it is measured, one renderer, stored with its prompt and its receipts.

An answer has three steps. What is asked is prepared and stored (``prepare``), spoken (``core.twin.speaking``, which
touches neither the store nor the recollector, so that several can speak at once), and what was spoken is stored
(``finish``). Whatever was prepared must be finished, spoken or not: until then its voice is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from core.errors import ModelError, UsageError
from core.prompts.commands import Command
from core.prompts.render import PromptTurn
from core.recall.recollect import Recollection
from core.store.adapters import AdapterRow, list_adapters
from core.store.sessions import add_message, begin_session, session_messages
from core.twin.abstaining import unknown_answer
from core.twin.asking import Asking, asking_form, recalls_first
from core.twin.composing import composed
from core.twin.guard import Withheld
from core.twin.hybrid.facts import facts_of
from core.twin.hybrid.simulation import begun_log, log_of, simulating_adapter
from core.twin.hybrid.turn import Hybrid, HybridTurn
from core.twin.keeping import now, store_answer, stored_session
from core.twin.leaving import check_sendable
from core.twin.parts import LONGEST_ANSWER, Parts, Tell
from core.twin.protocol import NO_RECEIPTS
from core.twin.recalling import Recalling, as_of_day
from core.twin.receipts import Receipt, honest
from core.twin.speaking import Prepared, Speaking
from core.twin.speech import Finish, Manner, check_continues
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
    """Why a model gave no memory where it was asked for one, once for each; and why there are no receipts."""
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
        if options.hybrid:
            check_continues(self._workspace.settings, "hybrid mode")
        self.session_id = session_id
        self.adapter = parts.adapter(options.adapter)
        if session_id is not None:
            self._go_on(session_id)
        self._recalling = Recalling(parts, self.adapter, self._options.as_of)
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
        speaking = Speaking(prepared)
        while True:
            words = iter(speaking)
            try:
                yield from words
            finally:
                words.close()
                if not speaking.commands:
                    answer = self.finish(prepared, speaking)
            if not speaking.commands:
                break
            try:
                prepared = self.followed(prepared, speaking.commands, speaking.said)
            except BaseException:
                speaking.break_off()
                self.finish(prepared, speaking)
                raise
            speaking.go_on(prepared)
        if answer is not None:
            yield answer

    def followed(self, prepared: Prepared, commands: Sequence[Command], said: str) -> Prepared:
        """What the answer goes on from once the twin has asked for its memories, having said so much.

        Raises UsageError, ModelError, ConsentError; what was prepared is then still to be finished.
        """
        asking = prepared.asking
        assert asking is not None
        came = [self._recalling.for_command(each, asking.turn.asker) for each in commands]
        missed = (*prepared.missed, *(line for each in came for line in each.missed))
        again = self._rendered(asking.after(commands, came, said, prepared.recollections), missed, "")
        self._parts.give_back(prepared.voice)
        left = max(1, prepared.manner.max_tokens - self._renderer.tokenizer.count(said))
        return replace(again, manner=replace(prepared.manner, max_tokens=left))

    def prepare(self, question: str) -> Prepared:
        """Store a question, and recall and render what its answer is spoken from. Raises UsageError, ModelError."""
        self._check_length(question)
        past = self._past(None)
        database = self._workspace.database
        with database.write():
            if self.session_id is None:
                adapter_id = self.adapter.id if self.adapter else None
                self.session_id = begin_session(database, adapter_id, self._options.as_of, now())
            stored_session(database, self.session_id)
            add_message(database, self.session_id, "user", self._options.speaker, question, "", {}, now())
        return self._prepared(question, self._options.speaker, past)

    def prepare_again(self) -> Prepared:
        """The same for the session's last question. Raises UsageError when there is none."""
        asked = session_messages(self._workspace.database, self.session_id) if self.session_id is not None else []
        last = next((each for each in reversed(asked) if each.role == "user"), None)
        if last is None:
            raise UsageError("nothing was asked yet", "ask something first")
        return self._prepared(last.text, last.speaker, self._past(last.id))

    def once_more(self, prepared: Prepared, seed: int) -> Prepared:
        """The same question, to be answered beside its first answer with another seed. Its voices must be kept."""
        self._parts.borrow(*prepared.voices)
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
        recollections = speaking.recollections
        receipts, missed = self._receipts(text, prepared, recollections)
        memories = self._options.memories
        message_id = store_answer(self._workspace, prepared, speaking, receipts, self.adapter, memories)
        counted = (len(prepared.tokens), self._renderer.tokenizer.count(text))
        return Answer(
            text, prepared.prompt, recollections, receipts, message_id, prepared.session_id, speaking.finish,
            counted, missed, bool(prepared.unknown), prepared.told_in_lines, prepared.voice.repeatable,
            speaking.hybrid,
        )  # fmt: skip

    def _receipts(
        self, text: str, prepared: Prepared, recollections: Sequence[Recollection]
    ) -> tuple[tuple[Receipt, ...], tuple[str, ...]]:
        """What an answer rests on, and what it had to do without. It was shown already, so that a model that cannot
        tell what supports it does not undo it: it then claims no support."""
        if prepared.unknown:
            return honest(text), prepared.missed
        try:
            return self._recalling.receipts(text, recollections), prepared.missed
        except ModelError as error:
            return self._recalling.receipts(text, ()), (*prepared.missed, f"{NO_RECEIPTS}: {error.message}")

    def look_ahead(self) -> None:
        """While nobody asks, after an answer: read what the next question may lean on."""
        turns = [*self._told, *self._past(None).turns]
        if self._options.memories and turns:
            self._recalling.look_ahead(turns[-1])

    def ahead(self, prepared: Prepared) -> tuple[int, ...]:
        """What an engine may read while nobody asks, after an answer: the beginning of the next prompt, where turns
        make room in it that stood whole in this one. Empty where nothing changes but the end."""
        turns = [*self._told, *self._past(None).turns]
        to_come = PromptTurn("?", prepared.asker)
        room = self._parts.context - self._length
        next_one = composed(self._workspace, self._renderer, [*turns, to_come], self._recalling.when, room)
        if next_one.told <= prepared.told_in_lines:
            return ()
        return tuple(self._renderer.tokenizer.encode(self._renderer.prompt(next_one.messages)))

    def _prepared(self, question: str, speaker: str, past: PastTurns) -> Prepared:
        turns = [*self._told, *past.turns]
        facts = self._recalling.facts(question)
        options = self._options
        form = asking_form(self._workspace, self.adapter) if options.memories and not options.hybrid else None
        recollections: list[Recollection] = []
        missed: tuple[str, ...] = ()
        unknown = False
        if options.memories and recalls_first(self._workspace, form):
            recollections, missed, unknown = self._recalling.for_question(
                question, speaker, turns[-1] if turns else None
            )
        turn = PromptTurn(question, speaker, (*facts, *(each.remembered() for each in recollections)))
        silent = ""
        if unknown and not facts:
            silent = unknown_answer(self._workspace, question, self._parts.withheld())
        asking = Asking(turn, past, facts, tuple(recollections), form=form)
        return self._rendered(asking, missed, silent)

    def _rendered(self, asking: Asking, missed: tuple[str, ...], silent: str) -> Prepared:
        past, withheld = asking.past, self._parts.withheld()
        with self._parts.borrowed(self.adapter) as voice:
            turns = [*self._told, *past.turns, asking.turn]
            room = self._parts.context - self._length
            shown = composed(self._workspace, self._renderer, turns, self._recalling.when, room)
            recollections = asking.shown(shown.last)
            about = tuple(dict.fromkeys([*past.owners, *(each.found.passage.owner_uid for each in recollections)]))
            check_sendable(self._workspace, voice, past, about)
            prompt = self._renderer.prompt(shown.messages)
            assert self.session_id is not None
            hybrid = None
            if self._options.hybrid and not silent:
                hybrid = self._hybrid_turn(turns, asking, withheld)
            return Prepared(
                session_id=self.session_id,
                prompt=prompt,
                tokens=tuple(self._renderer.tokenizer.encode(prompt)),
                manner=replace(self._options.manner, max_tokens=self._length),
                voice=voice,
                withheld=withheld,
                messages=tuple(shown.messages),
                recollections=recollections,
                missed=missed,
                unknown=silent,
                told_in_lines=shown.told,
                asker=asking.turn.asker,
                about=about,
                asking=asking if asking.may_ask else None,
                followed=asking.followed,
                hybrid=hybrid,
            )

    def _hybrid_turn(self, turns: Sequence[PromptTurn], asking: Asking, withheld: Withheld) -> HybridTurn:
        """What the answer to the last turn is made from in hybrid mode; its voice is borrowed. Raises UsageError,
        ModelError."""
        parts, workspace = self._parts, self._workspace
        adapter = simulating_adapter(workspace, self.adapter)
        renderer = self._renderer if adapter == self.adapter else parts.renderer(parts.base(adapter))
        length = workspace.settings.twin.simulation_tokens
        last = turns[-1]
        with parts.borrowed(adapter) as voice:
            return HybridTurn(
                workspace=workspace,
                recollector=parts.recollector,
                voice=voice,
                adapter=adapter.name if adapter else "",
                log=begun_log(renderer, log_of(turns, workspace.target), workspace.target, parts.context - length),
                manner=replace(self._options.manner, max_tokens=length),
                question=last.question,
                asker=last.asker,
                facts=facts_of(asking.facts, asking.recollections, turns[:-1]),
                recollections=asking.recollections,
                known=list(dict.fromkeys(turn.asker for turn in turns if turn.asker)),
                withheld=withheld,
                style=parts.style(),
                tell=self._options.tell,
            )

    def _go_on(self, session_id: int) -> None:
        adapter_id, as_of = stored_session(self._workspace.database, session_id)
        asked = self.adapter.id if self.adapter else None
        if self._options.adapter is None and asked != adapter_id:
            self.adapter = _adapter_of_session(self._parts, adapter_id)
        elif asked != adapter_id:
            raise UsageError(f"session {session_id} speaks with another adapter", "begin a new session for this one")
        if self._options.as_of and as_of_day(self._options.as_of) != as_of_day(as_of):
            raise UsageError(
                f"session {session_id} is set at {as_of or 'today'}", "begin a new session for another date"
            )
        self._options = replace(self._options, as_of=as_of)

    def _past(self, before: int | None) -> PastTurns:
        if self.session_id is None:
            return PastTurns()
        return past_turns(self._workspace, self.session_id, before)

    def _check_length(self, question: str) -> None:
        room = self._parts.context - self._length
        if self._renderer.tokenizer.count(question) > room:
            raise UsageError(f"the question is longer than the {room} tokens that the twin reads", "ask in fewer words")


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

    @property
    def repeatable(self) -> bool:
        """Whether the same question with the same seed gives the same words."""
        return self._voice.repeatable

    def answer(self, question: str) -> Iterator[str | Answer]:
        """As ``Conversation.ask``."""
        return self._conversation.ask(question)

    def close(self) -> None:
        self._parts.close()


def _adapter_of_session(parts: Parts, adapter_id: int | None) -> AdapterRow | None:
    return next((each for each in list_adapters(parts.workspace.database) if each.id == adapter_id), None)
