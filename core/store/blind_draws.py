"""The blind sample: memories drawn at random for one person, and what they decided on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.store.database import Database

LARGEST_SEEN_BATCH = 20
"""A larger batch was decided as a whole: its cards were not looked at one by one."""
SEEN_IN_BATCH = (
    "(SELECT count(*) FROM (SELECT 1 FROM decision AS beside WHERE beside.batch = decision.batch"
    f" LIMIT {LARGEST_SEEN_BATCH + 1})) <= {LARGEST_SEEN_BATCH}"
)
"""A condition on ``decision``; it reads a few rows of a batch, however large."""


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """One drawn memory."""

    memory_id: int
    uid: str
    state: str
    """``pending`` or how the card stands."""
    counts: bool
    """Whether it stands by a verdict that the same person gave by looking at it."""
    newest_memory: int


def drawn(db: Database, actor: str) -> list[DrawnRow]:
    """What was drawn for a person, in the order of the draws; memories that are gone are left out."""
    rows = db.rows(
        "SELECT memory.id, memory.uid, coalesce(card_state.state, 'pending'),"
        " coalesce(decision.actor_kind = 'person' AND decision.actor = blind_draw.actor"
        f" AND card_state.state IN ('accepted', 'rejected') AND {SEEN_IN_BATCH}, 0), newest_memory"
        " FROM blind_draw JOIN memory ON memory.uid = memory_uid"
        " LEFT JOIN card_state ON card_state.card_kind = 'memory' AND card_state.card_uid = memory_uid"
        " LEFT JOIN decision ON decision.id = card_state.decision_id WHERE blind_draw.actor = ? ORDER BY blind_draw.id",
        (actor,),
    )
    return [DrawnRow(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]


def undrawn_pending(db: Database, actor: str) -> list[tuple[int, str]]:
    """(row id, uid) of every memory that nobody has decided on and that was not drawn for this person yet."""
    rows = db.rows(
        "SELECT memory.id, memory.uid FROM memory"
        " WHERE NOT EXISTS (SELECT 1 FROM card_state WHERE card_kind = 'memory' AND card_uid = memory.uid)"
        " AND NOT EXISTS (SELECT 1 FROM blind_draw WHERE actor = ? AND memory_uid = memory.uid) ORDER BY memory.id",
        (actor,),
    )
    return [(int(row[0]), str(row[1])) for row in rows]


def add_draws(db: Database, actor: str, uids: Sequence[str], at: str) -> None:
    """The caller holds the transaction."""
    newest = db.value("SELECT coalesce(max(id), 0) FROM memory")
    db.execute_many(
        "INSERT INTO blind_draw (actor, memory_uid, newest_memory, drawn_at) VALUES (?, ?, ?, ?)",
        ((actor, uid, newest, at) for uid in uids),
    )


def count_draws(db: Database, actor: str) -> int:
    """How many were ever drawn and not withdrawn, memories that are gone included."""
    return int(db.value("SELECT count(*) FROM blind_draw WHERE actor = ?", (actor,)))


def remove_waiting_draws(db: Database, actor: str) -> int:
    """Withdraw what the person has not decided on. Returns how many."""
    waiting = [row.uid for row in drawn(db, actor) if row.state == "pending"]
    db.execute_many("DELETE FROM blind_draw WHERE actor = ? AND memory_uid = ?", ((actor, uid) for uid in waiting))
    return len(waiting)
