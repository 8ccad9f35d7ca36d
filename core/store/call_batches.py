"""Asks that were handed to a server's batch interface, until their answers are fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch that is under way."""

    id: int
    remote: str
    """The server's name for it; empty when a kill came before it was written down."""
    calls: dict[str, int]
    """Key of an ask → its row in the ledger."""


def open_batch(db: Database, role: str, identity: str, key: str, calls: Mapping[str, int], at: str) -> int:
    """Write a batch down before it leaves. The caller holds the transaction."""
    return db.insert(
        "INSERT INTO call_batch (role, identity, key, remote, calls, created_at) VALUES (?, ?, ?, '', ?, ?)",
        (role, identity, key, json.dumps(dict(calls)), at),
    )


def name_batch(db: Database, batch_id: int, remote: str) -> None:
    """The server's name for a batch. The caller holds the transaction."""
    db.execute("UPDATE call_batch SET remote = ? WHERE id = ?", (remote, batch_id))


def batches_under_way(db: Database, identity: str) -> list[BatchRow]:
    """An engine's batches whose answers were not fetched yet, oldest first."""
    rows = db.rows("SELECT id, remote, calls FROM call_batch WHERE identity = ? ORDER BY id", (identity,))
    return [BatchRow(row[0], row[1], json.loads(row[2])) for row in rows]


def close_batch(db: Database, batch_id: int) -> None:
    """A batch's answers were fetched, or it is lost. The caller holds the transaction."""
    db.execute("DELETE FROM call_batch WHERE id = ?", (batch_id,))
