"""Scorecards: the results of evaluations."""

from __future__ import annotations

import json
from typing import Any

from core.store.database import Database


def put_scorecard(db: Database, adapter_id: int | None, dataset_id: int | None, result: dict[str, Any], at: str) -> int:
    return db.insert(
        "INSERT INTO scorecard (adapter_id, dataset_id, result, created_at) VALUES (?, ?, ?, ?)",
        (adapter_id, dataset_id, json.dumps(result, ensure_ascii=False), at),
    )


def list_scorecards(db: Database) -> list[tuple[int, str, dict[str, Any]]]:
    """(id, created_at, result) of every scorecard, oldest first."""
    rows = db.rows("SELECT id, created_at, result FROM scorecard ORDER BY id")
    return [(row[0], row[1], json.loads(row[2])) for row in rows]
