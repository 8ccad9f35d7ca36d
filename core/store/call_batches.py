"""Asks that were handed to a server's batch interface, until their answers are fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch that is under way."""

    id: int
    name: str
    """Ours, which the server keeps with it."""
    remote: str
    """The server's; empty when a kill came before it was written down."""
    asks: tuple[str, ...]
    """Hashes of what is asked."""


def open_batch(db: Database, identity: str, name: str, asks: Sequence[str], at: str) -> int:
    """Write a batch down before it leaves. The caller holds the transaction."""
    return db.insert(
        "INSERT INTO call_batch (identity, name, remote, asks, created_at) VALUES (?, ?, '', ?, ?)",
        (identity, name, json.dumps(list(asks)), at),
    )


def name_batch(db: Database, batch_id: int, remote: str) -> None:
    """The server's name for a batch. The caller holds the transaction."""
    db.execute("UPDATE call_batch SET remote = ? WHERE id = ?", (remote, batch_id))


def batches_under_way(db: Database, identity: str, since: str) -> list[BatchRow]:
    """An engine's batches whose answers may not have been stored yet, oldest first; none from before ``since``."""
    rows = db.rows(
        "SELECT id, name, remote, asks FROM call_batch WHERE identity = ? AND created_at >= ? ORDER BY id",
        (identity, since),
    )
    return [BatchRow(row[0], row[1], row[2], tuple(json.loads(row[3]))) for row in rows]


def close_batch(db: Database, batch_id: int) -> None:
    """A batch's answers were fetched, or it is lost. The caller holds the transaction."""
    db.execute("DELETE FROM call_batch WHERE id = ?", (batch_id,))
