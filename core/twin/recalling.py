"""What comes back to the twin: for a question before it is answered, and for what it asks for itself meanwhile.

Nothing later than the talk's date, nothing that may not be recalled, nothing that may not be sent where the voice is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from core.corpus.sentences import sentences_of
from core.dates import DateSpan, as_of_request
from core.errors import UsageError
from core.prompts.commands import Command
from core.prompts.render import PromptTurn, RecalledMemory
from core.recall.asked import Asked
from core.recall.load import recallable_words
from core.recall.recollect import Recollection
from core.retrieval.function_words import FUNCTION_WORDS, telling_words
from core.store.adapters import AdapterRow
from core.store.chunks import Passage
from core.twin.abstaining import asks_for_facts
from core.twin.asking import CameBack
from core.twin.leaving import sendable
from core.twin.parts import Parts
from core.twin.receipts import Receipt, receipts_of
from core.twin.statements import bearing_on, facts_before

CONTEXT_WORDS = 30
"""Last words of the turn before, for a question that leans on them."""
TELLING_WORDS = 5
"""From so many words on that say something, a question names its subject itself: in the sample the words before it then
find less, whatever they count (bench/leaning.py)."""
FEW_WORDS = 2
"""Up to so many, one that says "she" or "it" leans on what was said; with more it may name its subject too."""
LEANS = 2.0
"""What the words before count where a question leans on them, beside 1 for its own: chosen among .3 to 4 on follow-ups
that were made up to the sample's training answers ("Why was that?"; recall@5 .06 without them, .59 so)."""
UNSURE = 0.5
"""The same where it cannot be told. They lose a question that names its subject some (recall@5 .75 without them, .67
so), and find what one that does not is about (.06 without, .51 so)."""
ENGLISH = 0.3
"""Of an English question's words, at least so many shape it."""
LEANING = frozenset({"he", "him", "his", "she", "her", "hers", "they", "them", "their", "theirs", "it", "its"})


class Recalling:
    """The memories of a twin at one date."""

    def __init__(self, parts: Parts, adapter: AdapterRow | None, as_of: str) -> None:
        """``as_of`` is a date or empty. Raises UsageError."""
        self._parts = parts
        self._workspace = parts.workspace
        self._adapter = adapter
        self._as_of = as_of
        self._before = as_of_day(as_of)

    @property
    def when(self) -> str:
        """The day of the talk, in the precision of a dated interview's scene: what the twin was trained on."""
        return DateSpan.parse(self._as_of).iso() if self._as_of else date.today().isoformat()

    def for_question(
        self, question: str, speaker: str, last: PromptTurn | None
    ) -> tuple[list[Recollection], tuple[str, ...], bool]:
        """The memories that the prompt shows, why some that were asked of a model are not among them, and whether
        nothing that was found supports an answer."""
        recollector = self._parts.recollector
        weight = leaning(question)
        context = context_of(last) if last and weight else ""
        asked = Asked(question, speaker, self._before, context=context, leaning=weight)
        recalled = recollector.recollect(asked, recallable_words(self._workspace))
        useful, kept = self._sendable(recollector.useful(recalled.memories))
        twin = self._workspace.settings.twin
        unknown = twin.abstain and not recalled.parked and asks_for_facts(question)
        if unknown and useful:
            words = f"{context}\n{question}" if context else question
            vectors = recollector.embedder.embed([question, words, *(each.retold.text for each in useful)])
            unknown = float((vectors[2:] @ vectors[:2].T).max()) < twin.support
        return useful, (*(str(each) for each in recalled.parked), *kept), unknown

    def look_ahead(self, last: PromptTurn) -> None:
        """Read the turn that the next question may lean on, while nobody waits."""
        self._parts.recollector.look_ahead(context_of(last))

    def for_command(self, command: Command, speaker: str) -> CameBack:
        """What comes back for a command. Raises ModelError."""
        if command.problem:
            return CameBack()
        if command.name == "today":
            return CameBack((RecalledMemory(f"It is {self.when}."),))
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
        memories = tuple(each.remembered() for each in useful)
        return CameBack(memories, tuple(useful), (*(str(each) for each in recalled.parked), *kept))

    def facts(self, question: str) -> tuple[RecalledMemory, ...]:
        """The facts that a person stated and that bear on the question; they stand before every memory."""
        facts = facts_before(self._workspace, self._before)
        return tuple(bearing_on(question, facts, self._parts.recollector.embedder)) if facts else ()

    def receipts(self, text: str, recollections: Sequence[Recollection]) -> tuple[Receipt, ...]:
        """What each sentence of an answer rests on."""
        # Where nothing was recalled no sentence has support, and no model is needed to say so.
        matcher = self._parts.matcher if recollections else None
        return tuple(receipts_of(text, recollections, matcher, self._parts.inference if recollections else None))

    def _sendable(self, recollections: Sequence[Recollection]) -> tuple[list[Recollection], tuple[str, ...]]:
        """The memories that a prompt for this voice may show, and a line for each that it may not."""
        return sendable(self._workspace, self._parts.voice(self._adapter), recollections)


def as_of_day(text: str) -> int | None:
    """The day before which passages are visible in a talk; None for no limit. Raises UsageError."""
    if not text:
        return None
    day = as_of_request(text)
    if day is None:
        raise UsageError(f"{text!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    return day


def context_of(turn: PromptTurn) -> str:
    """The words of a turn that the question after it may lean on."""
    return " ".join(f"{turn.question} {turn.answer or ''}".split()[-CONTEXT_WORDS:])


def leaning(question: str) -> float:
    """What the words before a question count when memories are looked for: 0 where it names what it is about.

    Known of English alone, by its function words, of which other languages have a few too. One sentence with a person
    or thing that it does not name leans on what was said; of several, the earlier ones name it.
    """
    words = re.findall(r"\w+", question.casefold())
    telling = len(telling_words(question))
    shaping = sum(word in FUNCTION_WORDS for word in words)
    unnamed = len(sentences_of(question)) == 1 and not LEANING.isdisjoint(words)
    if telling >= TELLING_WORDS and shaping >= max(2, ENGLISH * len(words)) and not unnamed:
        return 0.0
    return LEANS if telling == 0 or (unnamed and telling <= FEW_WORDS) else UNSURE
