"""Decisions: the append-only log of review, and the cached fold of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.store.database import Database

_COLUMNS = "id, at, batch, card_kind, card_uid, verb, reason, text, actor_kind, actor, target_batch"

_TAKEN_OTHERWISE = """
WITH touched(uid) AS (
    SELECT DISTINCT card_uid FROM decision WHERE card_kind = 'memory' AND (
        id > ?1 OR batch IN (SELECT target_batch FROM decision WHERE id > ?1 AND target_batch <> '')
    )
)
SELECT count(*) FROM touched WHERE
    (SELECT text FROM card_state WHERE card_kind = 'memory' AND card_uid = uid AND state = 'accepted')
IS NOT (
    SELECT CASE WHEN verb IN ('accept', 'edit') THEN text END FROM decision AS made
    WHERE card_kind = 'memory' AND card_uid = uid AND id <= ?1 AND coalesce((
        SELECT verb FROM decision AS turned
        WHERE turned.target_batch <> '' AND turned.target_batch = made.batch AND turned.id <= ?1
        ORDER BY turned.id DESC LIMIT 1
    ), '') <> 'undo' ORDER BY id DESC LIMIT 1
)
"""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One row of review. ``id`` is 0 before it is stored."""

    id: int
    at: str
    batch: str
    card_kind: str
    card_uid: str
    verb: str
    reason: str
    text: str
    actor_kind: str
    actor: str
    target_batch: str


def append_decision(db: Database, decision: DecisionRow) -> int:
    return db.insert(
        "INSERT INTO decision (at, batch, card_kind, card_uid, verb, reason, text, actor_kind, actor, target_batch)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            decision.at, decision.batch, decision.card_kind, decision.card_uid, decision.verb, decision.reason,
            decision.text, decision.actor_kind, decision.actor, decision.target_batch,
        ),
    )  # fmt: skip


def list_decisions(db: Database) -> list[DecisionRow]:
    """All decisions in the order they were made."""
    return [DecisionRow(*row) for row in db.rows(f"SELECT {_COLUMNS} FROM decision ORDER BY id")]


def standing_decisions(db: Database) -> list[DecisionRow]:
    """For each card that is decided, the decision it stands by, in the order they were made."""
    columns = ", ".join(f"decision.{name}" for name in _COLUMNS.split(", "))
    rows = db.rows(f"SELECT {columns} FROM card_state JOIN decision ON decision.id = decision_id ORDER BY decision.id")
    return [DecisionRow(*row) for row in rows]


def decisions_of_batch(db: Database, batch: str) -> list[DecisionRow]:
    return [
        DecisionRow(*row) for row in db.rows(f"SELECT {_COLUMNS} FROM decision WHERE batch = ? ORDER BY id", (batch,))
    ]


def decisions_of_card(db: Database, card_kind: str, card_uid: str) -> list[DecisionRow]:
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM decision WHERE card_kind = ? AND card_uid = ? ORDER BY id", (card_kind, card_uid)
    )
    return [DecisionRow(*row) for row in rows]


def newest_first(db: Database, page: int = 256) -> Iterator[DecisionRow]:
    """The log from its end, read in pages: who looks for the last batch that stands reads a few rows of a long log."""
    before = last_decision_id(db) + 1
    while True:
        rows = db.rows(f"SELECT {_COLUMNS} FROM decision WHERE id < ? ORDER BY id DESC LIMIT ?", (before, page))
        if not rows:
            return
        yield from (DecisionRow(*row) for row in rows)
        before = rows[-1][0]


def is_undone(db: Database, batch: str) -> bool:
    """Whether the last undo or redo of a batch was an undo."""
    verb = db.value("SELECT verb FROM decision WHERE target_batch = ? ORDER BY id DESC LIMIT 1", (batch,))
    return bool(verb == "undo")


def last_decision_id(db: Database) -> int:
    return int(db.value("SELECT coalesce(max(id), 0) FROM decision"))


def memories_taken_otherwise(db: Database, since: int) -> int:
    """How many memories are accepted now and were not when ``since`` was the last decision, or the other way round, or
    in other words. What was decided and taken back since is none."""
    return int(db.value(_TAKEN_OTHERWISE, (since,)))


def set_card_state(db: Database, card_kind: str, card_uid: str, state: str, text: str, decision_id: int) -> None:
    db.execute(
        "INSERT INTO card_state (card_kind, card_uid, state, text, decision_id) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (card_kind, card_uid) DO UPDATE SET state = excluded.state, text = excluded.text,"
        " decision_id = excluded.decision_id",
        (card_kind, card_uid, state, text, decision_id),
    )


def clear_card_state(db: Database, card_kind: str, card_uid: str) -> None:
    db.execute("DELETE FROM card_state WHERE card_kind = ? AND card_uid = ?", (card_kind, card_uid))


def card_states(db: Database) -> dict[tuple[str, str], tuple[str, str]]:
    """(card kind, card uid) → (state, edited text)."""
    rows = db.rows("SELECT card_kind, card_uid, state, text FROM card_state")
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}
