"""Items whose calls failed: kept with their reason until a later run gets their answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """One item that waits to be asked again."""

    kind: str
    """What it is an item of, in its stage's words: ``retell``, ``judge`` …"""
    uid: str
    reason: str
    attempts: int
    """Runs that gave up on it."""
    at: str


def park(db: Database, kind: str, uid: str, reason: str, at: str) -> None:
    """Park an item, or count one more attempt at it. The caller holds the transaction."""
    db.execute(
        "INSERT INTO parked (kind, uid, reason, attempts, at) VALUES (?, ?, ?, 1, ?) ON CONFLICT (kind, uid)"
        " DO UPDATE SET reason = excluded.reason, attempts = attempts + 1, at = excluded.at",
        (kind, uid, reason, at),
    )


def clear_parked(db: Database, kind: str, uids: Iterable[str]) -> None:
    """These items have their answer. The caller holds the transaction."""
    db.execute_many("DELETE FROM parked WHERE kind = ? AND uid = ?", ((kind, uid) for uid in uids))


def list_parked(db: Database, kind: str = "") -> list[ParkedRow]:
    """Parked items, of one kind or of all, oldest first."""
    rows = db.rows(
        "SELECT kind, uid, reason, attempts, at FROM parked WHERE ?1 = '' OR kind = ?1 ORDER BY at, kind, uid", (kind,)
    )
    return [ParkedRow(*row) for row in rows]


def parked_counts(db: Database) -> dict[str, dict[str, int]]:
    """Kind → reason → how many."""
    counts: dict[str, dict[str, int]] = {}
    for kind, reason, count in db.rows("SELECT kind, reason, count(*) FROM parked GROUP BY kind, reason ORDER BY 1, 2"):
        counts.setdefault(kind, {})[reason] = count
    return counts
