"""What was learned from a person's decisions: the rows it is learned from, the model's word on every memory, and what
was foretold of a memory before it was decided on."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.store.blind_draws import SEEN_IN_BATCH
from core.store.database import Database
from core.store.review_queue import QueueIds

PAGE = 512
"""Rows read at a time."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One memory that a person decided on by looking at it."""

    memory_id: int
    exchange_id: int
    accepted: bool


@dataclass(frozen=True)
class LearnedRow:
    """The model of one person. The three arrays run side by side, the most uncertain memory first."""

    actor: str
    at: str
    last_decision: int
    decisions: int
    features: str
    report: dict[str, Any]
    memories: array[int]
    exchanges: array[int]
    chances: array[float]

    @cached_property
    def chance_of(self) -> dict[int, float]:
        """Memory id → chance of acceptance."""
        return dict(zip(self.memories, self.chances, strict=True))


@dataclass(frozen=True, slots=True)
class ForetoldRow:
    """What was said of a memory before a person decided on it, and whether they accepted it."""

    chance: float | None
    bits: float | None
    accepted: bool


def labels(db: Database, actor: str) -> list[LabelRow]:
    """What a model of this person may learn from, by memory id.

    Only verdicts that stand and that the person gave by name, card by card or in a batch small enough to be looked at;
    what was drawn for their blind sample stays out, since that is what the model is measured on.
    """
    rows = db.rows(
        "SELECT memory.id, memory.exchange_id, card_state.state = 'accepted'"
        " FROM card_state JOIN decision ON decision.id = decision_id JOIN memory ON memory.uid = card_state.card_uid"
        " WHERE card_state.card_kind = 'memory' AND card_state.state IN ('accepted', 'rejected')"
        f" AND decision.actor_kind = 'person' AND decision.actor = ? AND {SEEN_IN_BATCH}"
        " AND NOT EXISTS (SELECT 1 FROM blind_draw WHERE blind_draw.actor = decision.actor"
        " AND memory_uid = card_state.card_uid) ORDER BY memory.id",
        (actor,),
    )
    return [LabelRow(int(row[0]), int(row[1]), bool(row[2])) for row in rows]


def decisions_since(db: Database, actor: str, decision_id: int) -> int:
    """How many rows of the log a person has added about memories, undo and redo among them."""
    return int(
        db.value(
            "SELECT count(*) FROM decision WHERE id > ? AND actor_kind = 'person' AND actor = ?"
            " AND card_kind IN ('memory', '')",
            (decision_id, actor),
        )
    )


def features_fingerprint(db: Database) -> str:
    """Changes whenever a memory comes or goes or is judged anew."""
    memories = db.one("SELECT count(*), coalesce(max(id), 0) FROM memory")
    judged = db.one("SELECT count(*), round(total(value), 3) FROM judgement INDEXED BY judgement_by_value")
    return json.dumps([memories, judged])


FEATURES = (
    "memory.id", "memory.exchange_id", "memory.chunk_id",
    "(SELECT max(value) FROM judgement WHERE kind = 'question' AND memory_id = memory.id)",
    "(SELECT max(value) FROM judgement WHERE kind = 'answer' AND memory_id = memory.id)",
    "memory.score", "memory.rank", "length(memory.text)", "chunk.tokens", "chunk.last_day", "exchange.first_day",
    "CASE coalesce(document.kind, 'exchange') WHEN 'writing' THEN 0 WHEN 'journal' THEN 1 WHEN 'profile' THEN 2 ELSE 3"
    " END",
)  # fmt: skip


def feature_rows(db: Database) -> Iterator[list[tuple[Any, ...]]]:
    """``FEATURES`` of every memory, by memory id, page by page; days are ordinals, -1 when unknown."""
    return _pages(
        db,
        f"SELECT {', '.join(FEATURES)} FROM memory JOIN chunk ON chunk.id = memory.chunk_id"
        " JOIN exchange ON exchange.id = memory.exchange_id LEFT JOIN document ON document.id = chunk.document_id"
        " WHERE memory.id > ? ORDER BY memory.id LIMIT ?",
    )


def memory_words(db: Database) -> Iterator[list[tuple[int, int, str]]]:
    """(memory id, exchange id, text) of every memory, by memory id, page by page."""
    return _pages(db, "SELECT id, exchange_id, text FROM memory WHERE id > ? ORDER BY id LIMIT ?")


def asked_questions(db: Database) -> dict[int, str]:
    """Exchange id → question, of every exchange that has memories."""
    rows = db.rows("SELECT id, question FROM exchange WHERE id IN (SELECT exchange_id FROM memory)")
    return {int(row[0]): str(row[1]) for row in rows}


def vectors_kind(db: Database, prefer: str) -> tuple[str, str, int] | None:
    """(model, revision, dimension) of the stored vectors: those of the preferred model where there are some."""
    rows = db.rows(
        "SELECT model, revision, dimension FROM vector WHERE chunk_id ="
        " (SELECT max(chunk_id) FROM memory WHERE chunk_id IN (SELECT chunk_id FROM vector))"
        " ORDER BY model <> ?, model, revision",
        (prefer,),
    )
    return (str(rows[0][0]), str(rows[0][1]), int(rows[0][2])) if rows else None


def vectors_in_use(db: Database, model: str, revision: str, dimension: int) -> Iterator[list[tuple[int, int, bytes]]]:
    """(chunk id, exchange id or 0, vector) of every passage of a memory and of every asked exchange's own words, by
    chunk id, page by page. Vectors of another length than ``dimension`` floats are left out."""
    return _pages(
        db,
        "SELECT chunk.id, coalesce(chunk.exchange_id, 0), blob FROM chunk JOIN vector ON vector.chunk_id = chunk.id"
        " AND model = ?3 AND revision = ?4 WHERE chunk.id > ?1 AND length(blob) = ?5"
        " AND (EXISTS (SELECT 1 FROM memory WHERE memory.chunk_id = chunk.id)"
        " OR EXISTS (SELECT 1 FROM memory WHERE memory.exchange_id = chunk.exchange_id))"
        " ORDER BY chunk.id LIMIT ?2",
        (model, revision, 4 * dimension),
    )


def _pages(db: Database, sql: str, more: Sequence[object] = ()) -> Iterator[list[Any]]:
    """Rows by their first column, an id, a page at a time: who reads them beside other work holds nobody up long."""
    last = 0
    while rows := db.rows(sql, (last, PAGE, *more)):
        yield rows
        last = rows[-1][0]


def put_learned(db: Database, row: LearnedRow) -> None:
    """Keep a person's model in place of the one before. The caller holds the transaction."""
    db.execute(
        "INSERT OR REPLACE INTO learned (actor, at, last_decision, decisions, features, report, memories, exchanges,"
        " chances) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.actor, row.at, row.last_decision, row.decisions, row.features, json.dumps(row.report),
            row.memories.tobytes(), row.exchanges.tobytes(), row.chances.tobytes(),
        ),
    )  # fmt: skip


def remove_learned(db: Database, actor: str) -> None:
    db.execute("DELETE FROM learned WHERE actor = ?", (actor,))


def find_learned(db: Database, actor: str) -> LearnedRow | None:
    """A person's model, or None."""
    row = db.one(
        "SELECT actor, at, last_decision, decisions, features, report, memories, exchanges, chances FROM learned"
        " WHERE actor = ?",
        (actor,),
    )
    if row is None:
        return None
    arrays: tuple[array[Any], ...] = (array("i"), array("i"), array("f"))
    for values, blob in zip(arrays, row[6:], strict=True):
        values.frombytes(blob)
    memories, exchanges, chances = arrays
    return LearnedRow(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), memories, exchanges, chances)


def learned_at(db: Database, actor: str) -> tuple[int, str] | None:
    """(last decision, features' fingerprint) of a person's model, without reading what it says."""
    row = db.one("SELECT last_decision, features FROM learned WHERE actor = ?", (actor,))
    return (int(row[0]), str(row[1])) if row else None


def memories_by_learned(db: Database, actor: str) -> QueueIds | None:
    """The most uncertain first by a person's model; memories that it does not know come before all. None without one.

    Ids are never used again, so the same count and the same largest id are the same memories.
    """
    found = find_learned(db, actor)
    if found is None:
        return None
    count, newest = db.one("SELECT count(*), coalesce(max(id), 0) FROM memory") or (0, 0)
    order = list(zip(found.memories, found.exchanges, strict=True))
    if len(order) == count and (not order or max(found.memories) == newest):
        return order
    rows = db.rows("SELECT id, exchange_id FROM memory ORDER BY id")
    there, known = {int(row[0]) for row in rows}, set(found.memories)
    fresh = [(int(row[0]), int(row[1])) for row in rows if row[0] not in known]
    return fresh + [pair for pair in order if pair[0] in there]


def foretell(db: Database, actor: str, decisions: Sequence[tuple[int, str]]) -> None:
    """Keep what is said now of the memories of (decision id, uid), each decided just now. The caller holds the
    transaction.

    A card that the model may have learned from, since the person had decided on it before, is passed over: that would
    be no foretelling.
    """
    model = learned_at(db, actor)
    for decision_id, uid in decisions:
        memory_id = db.value("SELECT id FROM memory WHERE uid = ?", (uid,))
        if memory_id is None:
            continue
        bits = db.value("SELECT max(value) FROM judgement WHERE memory_id = ? AND kind = 'question'", (memory_id,))
        chance = None
        if model is not None and not _decided_before(db, actor, uid, model[0]):
            chance = _chance(db, actor, int(memory_id))
        db.execute("INSERT INTO foretold (decision_id, chance, bits) VALUES (?, ?, ?)", (decision_id, chance, bits))


def _chance(db: Database, actor: str, memory_id: int) -> float | None:
    """What a person's model says of one memory, without unpacking what it says of all: every key waits for this."""
    row = db.one("SELECT memories, chances FROM learned WHERE actor = ?", (actor,))
    if row is None:
        return None
    memories, chances = row
    wanted = array("i", [memory_id]).tobytes()
    at = memories.find(wanted)
    while at % len(wanted) and at >= 0:  # Across two ids.
        at = memories.find(wanted, at + 1)
    return None if at < 0 else array("f", chances[at : at + len(wanted)])[0]


def foretold(db: Database, actor: str, last: int) -> list[ForetoldRow]:
    """The last verdicts of a person that stand, newest first, with what was said before each."""
    rows = db.rows(
        "SELECT chance, bits, card_state.state = 'accepted' FROM foretold"
        " JOIN decision ON decision.id = foretold.decision_id"
        " JOIN card_state ON card_state.card_kind = 'memory' AND card_state.card_uid = decision.card_uid"
        " AND card_state.decision_id = decision.id"
        " WHERE decision.actor = ? AND card_state.state IN ('accepted', 'rejected')"
        " ORDER BY foretold.decision_id DESC LIMIT ?",
        (actor, last),
    )
    return [ForetoldRow(row[0], row[1], bool(row[2])) for row in rows]


def question_bits(db: Database, memory_ids: Iterable[int]) -> dict[int, float]:
    """Memory id → the judge's question figure, where it was judged."""
    found = {}
    for memory_id in memory_ids:
        bits = db.value("SELECT max(value) FROM judgement WHERE memory_id = ? AND kind = 'question'", (memory_id,))
        if bits is not None:
            found[memory_id] = float(bits)
    return found


def _decided_before(db: Database, actor: str, uid: str, decision_id: int) -> bool:
    return bool(
        db.value(
            "SELECT EXISTS (SELECT 1 FROM decision WHERE card_kind = 'memory' AND card_uid = ? AND actor = ?"
            " AND id <= ?)",
            (uid, actor, decision_id),
        )
    )
