"""The order of a review queue as bare ids, fast at a hundred thousand rows; and its cards, a few at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter

from core.store.database import Database

QueueIds = list[tuple[int, int]]
"""(row id of the card, id of its group: the exchange of a memory, else 0), in the order of the queue."""

STATES = ("pending", "accepted", "rejected", "deferred", "flagged")
WAITING = ("pending", "deferred", "flagged")
_TABLES = {"memory": "memory", "pair": "pair", "proposal": "proposal"}


@dataclass(frozen=True, slots=True)
class MemoryCard:
    """A memory as a reviewer sees it."""

    id: int
    uid: str
    state: str
    text: str
    """As retold, or as edited."""
    original: str
    quote_start: int
    """Characters into the passage."""
    quote_stop: int
    passage: str
    passage_title: str
    passage_date: str
    asker: str
    question: str
    answer: str
    """What the target really answered."""
    exchange_id: int
    exchange_place: int
    """Which exchange of its conversation, from 1."""
    exchange_count: int
    conversation_title: str
    conversation_date: str
    question_bits: float | None
    answer_bits: float | None
    reason: str
    """Why it was decided so, where a reason was given."""
    veiled: bool = False
    """Whether it is to be decided on without the judges' figures."""


@dataclass(frozen=True, slots=True)
class PairCard:
    """Two answers to one question; ``preferred`` is ``left`` or ``right`` once accepted."""

    id: int
    uid: str
    state: str
    question: str
    left: str
    right: str
    origin: str
    preferred: str
    created_at: str


@dataclass(frozen=True, slots=True)
class ProposalCard:
    """A suggested change; ``text`` is what would be put, as suggested or as edited."""

    id: int
    uid: str
    state: str
    kind: str
    title: str
    before: str
    text: str
    original: str
    reason: str
    created_at: str


Card = MemoryCard | PairCard | ProposalCard


def decided_states(db: Database, kind: str) -> dict[int, str]:
    """Row id → state, for every card of a kind that was decided on."""
    rows = db.rows(
        f"SELECT {_TABLES[kind]}.id, card_state.state FROM card_state JOIN {_TABLES[kind]} ON uid = card_uid"
        " WHERE card_kind = ?",
        (kind,),
    )
    return {int(row[0]): str(row[1]) for row in rows}


def count_cards(db: Database, kind: str) -> int:
    return int(db.value(f"SELECT count(*) FROM {_TABLES[kind]}"))


def memories_by_exchange(db: Database) -> QueueIds:
    """In the order of conversations and their exchanges, best candidate first."""
    exchanges = db.rows(
        "SELECT exchange.id FROM exchange JOIN conversation ON conversation.id = conversation_id"
        " ORDER BY conversation.first_day, conversation.uid, exchange.position"
    )
    # Both sides of the join are read in the order of an index; sorting a hundred thousand joined rows takes longer.
    memories = db.rows("SELECT id, exchange_id FROM memory ORDER BY exchange_id, rank")
    groups = {exchange_id: list(group) for exchange_id, group in groupby(memories, itemgetter(1))}
    return list(chain.from_iterable(groups[row[0]] for row in exchanges if row[0] in groups))


def memories_by_score(db: Database) -> QueueIds:
    """The best by the question's judge first; what was not judged comes last."""
    judged = _judged(db, "ORDER BY value DESC, memory.id")
    return judged + _not_judged(db, len(judged))


def memories_by_uncertainty(db: Database, threshold: float) -> QueueIds:
    """Those whose judge was least sure first: nearest to the threshold; what was not judged comes before all."""
    judged = _judged(db, "ORDER BY abs(value - ?), memory.id", (threshold,))
    return _not_judged(db, len(judged)) + judged


def _judged(db: Database, order: str, parameters: Sequence[object] = ()) -> QueueIds:
    # The judgements lead: joined to the memories from the left, they would be indexed anew each time.
    return _pairs(
        db,
        "SELECT memory.id, exchange_id FROM"
        " (SELECT memory_id, max(value) AS value FROM judgement WHERE kind = 'question' GROUP BY memory_id)"
        f" JOIN memory ON memory.id = memory_id {order}",
        parameters,
    )


def _not_judged(db: Database, judged: int) -> QueueIds:
    if judged == count_cards(db, "memory"):
        return []
    return _pairs(
        db,
        "SELECT id, exchange_id FROM memory WHERE NOT EXISTS"
        " (SELECT 1 FROM judgement WHERE kind = 'question' AND memory_id = memory.id) ORDER BY id",
    )


def memories_by_time(db: Database) -> QueueIds:
    """By the date of the passage, oldest first; undated ones lead."""
    return _pairs(
        db,
        "SELECT memory.id, memory.exchange_id FROM memory JOIN chunk ON chunk.id = chunk_id"
        " ORDER BY chunk.last_day, memory.id",
    )


def cards_by_age(db: Database, kind: str) -> QueueIds:
    """Pairs or proposals, oldest first."""
    return [(int(row[0]), 0) for row in db.rows(f"SELECT id FROM {_TABLES[kind]} ORDER BY id")]


def matching(db: Database, kind: str, words: Sequence[str]) -> set[int]:
    """Row ids of the cards on which every one of the words, at least one, stands, whatever its case.

    What the target really answered does not count: a card shows it only when asked.
    """
    wanted = [_folded(word) for word in words]
    if kind != "memory":
        return set.intersection(*_holders(db, _WORDS[kind], wanted))
    # A question and a passage stand on many cards: each is looked at once.
    asked = _holders(db, _ASKED, wanted)
    recalled = _holders(db, _RECALLED, wanted)
    retold = _holders(db, _RETOLD, wanted)
    found = db.rows("SELECT id, exchange_id, chunk_id FROM memory")
    for own, asks, recalls in zip(retold, asked, recalled, strict=True):
        found = [row for row in found if row[0] in own or row[1] in asks or row[2] in recalls]
    return {row[0] for row in found}


def _holders(db: Database, query: str, wanted: Sequence[str]) -> list[set[int]]:
    """For each folded word, the row ids whose text holds it. ``query`` gives ids and texts."""
    found: list[set[int]] = [set() for _ in wanted]
    for row_id, text in db.each(query):
        folded = _folded(text)
        for word, holders in zip(wanted, found, strict=True):
            if word in folded:
                holders.add(row_id)
    return found


def _folded(text: str) -> str:
    """The same for a text in whatever case, and for letters whose accents are characters of their own."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


def load_cards(db: Database, kind: str, ids: Sequence[int]) -> dict[int, Card]:
    """The cards with these row ids; ids that are gone are left out."""
    marks = ",".join("?" * len(ids))
    if kind == "memory":
        rows = db.rows(_MEMORY_CARDS.format(marks=marks), ids)
        return {row[0]: MemoryCard(*row) for row in rows}
    state = "coalesce(card_state.state, 'pending')"
    join = f"LEFT JOIN card_state ON card_kind = '{kind}' AND card_uid = uid WHERE {kind}.id IN ({marks})"
    if kind == "pair":
        rows = db.rows(
            f"SELECT id, uid, {state}, question, left_text, right_text, origin, coalesce(card_state.text, ''),"
            f" created_at FROM pair {join}",
            ids,
        )
        return {row[0]: PairCard(*row) for row in rows}
    rows = db.rows(
        f"SELECT id, uid, {state}, kind, title, before, coalesce(nullif(card_state.text, ''), after), after, reason,"
        f" created_at FROM proposal {join}",
        ids,
    )
    return {row[0]: ProposalCard(*row) for row in rows}


def card_place(db: Database, kind: str, uid: str) -> int | None:
    """The row id of a card, or None when it is gone."""
    value = db.value(f"SELECT id FROM {_TABLES[kind]} WHERE uid = ?", (uid,))
    return None if value is None else int(value)


_RETOLD = """
SELECT memory.id, coalesce(nullif(card_state.text, ''), memory.text) FROM memory
LEFT JOIN card_state ON card_kind = 'memory' AND card_uid = uid
"""
_ASKED = """
SELECT exchange.id, asker || char(10) || conversation.date || char(10) || question FROM exchange
JOIN conversation ON conversation.id = conversation_id
"""
_RECALLED = """
SELECT chunk.id, chunk.text || char(10) || coalesce(document.title || char(10) || document.date,
    told.title || char(10) || told.date)
FROM chunk
LEFT JOIN document ON document.id = document_id
LEFT JOIN exchange ON exchange.id = exchange_id
LEFT JOIN conversation AS told ON told.id = conversation_id
WHERE chunk.id IN (SELECT chunk_id FROM memory)
"""
_WORDS = {
    "pair": "SELECT id, origin || char(10) || question || char(10) || left_text || char(10) || right_text FROM pair",
    "proposal": "SELECT proposal.id, kind || char(10) || title || char(10) || reason || char(10) || before || char(10)"
    " || coalesce(nullif(card_state.text, ''), after) FROM proposal"
    " LEFT JOIN card_state ON card_kind = 'proposal' AND card_uid = uid",
}
"""What stands on each card, by the parts that several cards have in common."""

_MEMORY_CARDS = """
SELECT memory.id, memory.uid, coalesce(card_state.state, 'pending'), coalesce(nullif(card_state.text, ''), memory.text),
    memory.text, quote_start, quote_stop, chunk.text, coalesce(document.title, told.title),
    coalesce(document.date, told.date), exchange.asker, exchange.question, exchange.answer, exchange.id,
    (SELECT count(*) FROM exchange AS other
        WHERE other.conversation_id = exchange.conversation_id AND other.position <= exchange.position),
    (SELECT count(*) FROM exchange AS other WHERE other.conversation_id = exchange.conversation_id),
    conversation.title, conversation.date,
    (SELECT value FROM judgement WHERE memory_id = memory.id AND judgement.kind = 'question' ORDER BY judge LIMIT 1),
    (SELECT value FROM judgement WHERE memory_id = memory.id AND judgement.kind = 'answer' ORDER BY judge LIMIT 1),
    coalesce((SELECT reason FROM decision WHERE decision.id = card_state.decision_id), '')
FROM memory
JOIN exchange ON exchange.id = memory.exchange_id
JOIN conversation ON conversation.id = exchange.conversation_id
JOIN chunk ON chunk.id = chunk_id
LEFT JOIN document ON document.id = chunk.document_id
LEFT JOIN exchange AS source_exchange ON source_exchange.id = chunk.exchange_id
LEFT JOIN conversation AS told ON told.id = source_exchange.conversation_id
LEFT JOIN card_state ON card_state.card_kind = 'memory' AND card_state.card_uid = memory.uid
WHERE memory.id IN ({marks})
"""


def _pairs(db: Database, sql: str, parameters: Sequence[object] = ()) -> QueueIds:
    return [(int(row[0]), int(row[1])) for row in db.rows(sql, parameters)]
