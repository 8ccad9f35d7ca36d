"""The order of a review queue as bare ids, fast at a hundred thousand rows; and its cards, a few at a time."""

from __future__ import annotations

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
    """Row ids of the cards in which every word occurs, whatever its case."""
    text = {
        "memory": "memory.text || char(10) || quote || char(10) || question || char(10) || asker || char(10)"
        " || coalesce(document.title, '')",
        "pair": "question || char(10) || left_text || char(10) || right_text",
        "proposal": "title || char(10) || before || char(10) || after",
    }[kind]
    joins = (
        " JOIN exchange ON exchange.id = memory.exchange_id JOIN chunk ON chunk.id = chunk_id"
        " LEFT JOIN document ON document.id = chunk.document_id"
        if kind == "memory"
        else ""
    )
    conditions = " AND ".join([f"{text} LIKE ? ESCAPE '\\'"] * len(words)) or "1"
    patterns = ["%" + _escaped(word) + "%" for word in words]
    return {int(row[0]) for row in db.rows(f"SELECT {kind}.id FROM {kind}{joins} WHERE {conditions}", patterns)}


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


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
