"""Memories: chunks recalled for an exchange, and what the judges said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.store.database import Database
from core.store.identity import row_number

_COLUMNS = (
    "memory.id, memory.uid, memory.exchange_id, memory.chunk_id, memory.rank, memory.score, memory.writer,"
    " memory.text, quote, quote_start, quote_stop"
)


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One candidate memory. ``id`` is 0 before it is stored."""

    id: int
    uid: str
    exchange_id: int
    chunk_id: int
    rank: int
    score: float
    writer: str
    text: str
    quote: str
    quote_start: int
    """Characters into the chunk's text."""
    quote_stop: int


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A memory with what a reviewer sees beside it."""

    memory: MemoryRow
    state: str
    """``pending`` or the fold of its decisions."""
    edited: str
    """The words after an edit, or empty."""
    question_bits: float | None
    answer_bits: float | None
    asker: str
    question: str
    answer: str
    exchange_uid: str
    conversation_id: int
    conversation_title: str
    conversation_date: str


def put_memories(
    db: Database,
    exchange_id: int,
    memories: Sequence[tuple[MemoryRow, Mapping[tuple[str, str], float]]],
    remove_others: bool = True,
) -> None:
    """Store an exchange's candidates with their judgements ``{(kind, judge): value}``; known ones keep their decisions.

    The same words from the same place are known, even if the exchange had another uid when they were recalled.
    Candidates of the exchange that are not among these and were never decided on are removed, unless these are not all
    that there will be.
    """
    rows = db.rows(
        "SELECT chunk_id, quote_start, quote_stop, text, uid FROM memory WHERE exchange_id = ?", (exchange_id,)
    )
    known = {(row[0], row[1], row[2], row[3]): str(row[4]) for row in rows}
    uids = [
        known.get((memory.chunk_id, memory.quote_start, memory.quote_stop, memory.text), memory.uid)
        for memory, _ in memories
    ]
    wanted = set(uids)
    others = db.rows("SELECT id, uid FROM memory WHERE exchange_id = ?", (exchange_id,)) if remove_others else []
    for memory_id, uid in others:
        decided = db.value("SELECT 1 FROM decision WHERE card_kind = 'memory' AND card_uid = ?", (uid,))
        if uid not in wanted and not decided:
            db.execute("DELETE FROM memory WHERE id = ?", (memory_id,))
    for uid, (memory, judgements) in zip(uids, memories, strict=True):
        db.execute(
            "INSERT INTO memory (uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start, quote_stop)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (uid) DO UPDATE SET rank = excluded.rank, score = excluded.score",
            (
                uid, exchange_id, memory.chunk_id, memory.rank, memory.score, memory.writer, memory.text,
                memory.quote, memory.quote_start, memory.quote_stop,
            ),
        )  # fmt: skip
        memory_id = db.value("SELECT id FROM memory WHERE uid = ?", (uid,))
        db.execute("DELETE FROM judgement WHERE memory_id = ?", (memory_id,))
        for (kind, judge), value in judgements.items():
            db.execute(
                "INSERT INTO judgement (memory_id, kind, judge, value) VALUES (?, ?, ?, ?)",
                (memory_id, kind, judge, value),
            )


def review_rows(db: Database, where: str = "", parameters: Sequence[object] = ()) -> list[ReviewRow]:
    """Memories with their states, in the order of conversations, exchanges and ranks.

    ``where`` is a condition written by this package's modules, never by a user.
    """
    rows = db.rows(
        f"SELECT {_COLUMNS}, coalesce(card_state.state, 'pending'), coalesce(card_state.text, ''),"
        " (SELECT value FROM judgement WHERE memory_id = memory.id AND kind = 'question' ORDER BY judge LIMIT 1),"
        " (SELECT value FROM judgement WHERE memory_id = memory.id AND kind = 'answer' ORDER BY judge LIMIT 1),"
        " asker, question, answer, exchange.uid, conversation_id, conversation.title, conversation.date"
        " FROM memory JOIN exchange ON exchange.id = memory.exchange_id"
        " JOIN conversation ON conversation.id = conversation_id"
        " LEFT JOIN card_state ON card_kind = 'memory' AND card_uid = memory.uid"
        f" {'WHERE ' + where if where else ''}"
        " ORDER BY conversation.first_day, conversation.uid, exchange.position, rank, memory.uid",
        parameters,
    )
    return [ReviewRow(MemoryRow(*row[:11]), *row[11:]) for row in rows]


def pending_memories(db: Database) -> list[ReviewRow]:
    return review_rows(db, "card_state.state IS NULL OR card_state.state IN ('deferred', 'flagged')")


def accepted_memories(db: Database) -> list[ReviewRow]:
    return review_rows(db, "card_state.state = 'accepted'")


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A memory that a person or a rule accepted or rejected, and that stands so."""

    exchange_id: int
    chunk_id: int
    accepted: bool
    actor_kind: str
    actor: str
    decision_id: int

    @property
    def by(self) -> str:
        """``person: Ada`` or ``rule: …``."""
        return f"{self.actor_kind}: {self.actor}"


def verdicts(db: Database) -> list[VerdictRow]:
    """Every memory that a person or a rule decided on, by memory id; what came by an import is left out."""
    rows = db.rows(
        "SELECT exchange_id, chunk_id, card_state.state = 'accepted', actor_kind, actor, decision_id FROM card_state"
        " JOIN decision ON decision.id = decision_id JOIN memory ON memory.uid = card_state.card_uid"
        " WHERE card_state.card_kind = 'memory' AND card_state.state IN ('accepted', 'rejected')"
        " AND actor_kind IN ('person', 'rule') ORDER BY memory.id"
    )
    return [VerdictRow(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]


def undecided(db: Database) -> list[tuple[int, int]]:
    """(exchange id, chunk id) of every memory that ``verdicts`` leaves out."""
    rows = db.rows(
        "SELECT exchange_id, chunk_id FROM memory WHERE NOT EXISTS (SELECT 1 FROM card_state"
        " JOIN decision ON decision.id = decision_id WHERE card_state.card_uid = memory.uid"
        " AND card_state.card_kind = 'memory' AND card_state.state IN ('accepted', 'rejected')"
        " AND actor_kind IN ('person', 'rule')) ORDER BY memory.id"
    )
    return [(int(exchange_id), int(chunk_id)) for exchange_id, chunk_id in rows]


def find_memory(db: Database, reference: str) -> ReviewRow | None:
    """By uid, or by ``m<row id>`` as lists print it."""
    rows = review_rows(db, "memory.uid = ? OR memory.id = ?", (reference, row_number(reference, "m")))
    return rows[0] if rows else None


def chunks_of_memories(db: Database, uids: Sequence[str]) -> dict[str, int]:
    """Memory uid → the id of the passage that it was recalled from; one that is gone is left out."""
    rows = [(uid, db.value("SELECT chunk_id FROM memory WHERE uid = ?", (uid,))) for uid in uids]
    return {uid: int(chunk_id) for uid, chunk_id in rows if chunk_id is not None}


def owners_of(db: Database, uids: Sequence[str]) -> tuple[str, ...] | None:
    """uids of the documents and exchanges that memories were recalled from; None where a memory is gone."""
    owners = [
        db.value(
            "SELECT coalesce(document.uid, exchange.uid) FROM memory JOIN chunk ON chunk.id = chunk_id"
            " LEFT JOIN document ON document.id = chunk.document_id"
            " LEFT JOIN exchange ON exchange.id = chunk.exchange_id WHERE memory.uid = ?",
            (uid,),
        )
        for uid in dict.fromkeys(uids)
    ]
    return None if None in owners else tuple(dict.fromkeys(map(str, owners)))


def recall_keys(db: Database) -> dict[int, str]:
    """Exchange id → the key of the recall that was completed for it."""
    return {int(row[0]): str(row[1]) for row in db.rows("SELECT exchange_id, key FROM recalled")}


def set_recall_key(db: Database, exchange_id: int, key: str) -> None:
    db.execute(
        "INSERT INTO recalled (exchange_id, key) VALUES (?, ?)"
        " ON CONFLICT (exchange_id) DO UPDATE SET key = excluded.key",
        (exchange_id, key),
    )


def memory_counts(db: Database) -> dict[str, int]:
    """How many memories are in each state; ``pending`` among them."""
    rows = db.rows(
        "SELECT coalesce(state, 'pending'), count(*) FROM memory"
        " LEFT JOIN card_state ON card_kind = 'memory' AND card_uid = memory.uid GROUP BY 1"
    )
    return {row[0]: row[1] for row in rows}
