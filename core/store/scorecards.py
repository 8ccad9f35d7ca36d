"""Scorecards: the results of evaluations."""

from __future__ import annotations

import json
from typing import Any

from core.store.adapters import AdapterRow
from core.store.database import Database

PLAYED = "hashes"
"""In a result: the hash of each adapter that played a part, by the key that names it. Names are of one machine."""
RETRIEVER = "retriever"
"""In a result: ``name`` and ``hash`` of the retriever that memories were found with, or None."""
ELSEWHERE = " (elsewhere)"
"""What is added to the name of what did not come with what names it, for something else here may go by that name."""


def put_scorecard(db: Database, adapter_id: int | None, dataset_id: int | None, result: dict[str, Any], at: str) -> int:
    return db.insert(
        "INSERT INTO scorecard (adapter_id, dataset_id, result, created_at) VALUES (?, ?, ?, ?)",
        (adapter_id, dataset_id, json.dumps(result, ensure_ascii=False), at),
    )


def list_scorecards(db: Database) -> list[tuple[int, str, dict[str, Any]]]:
    """(id, created_at, result) of every scorecard, oldest first; its adapters by the names that they have here."""
    return [(number, at, result) for number, at, result, _ in _scorecards(db)]


def newest_scorecard(db: Database, adapter: AdapterRow) -> tuple[int, str, dict[str, Any]] | None:
    """The same of the newest one that an adapter played a part in, or None."""
    for number, at, result, owner in reversed(_scorecards(db)):
        if owner == adapter.id or adapter.hash in _played(result).values():
            return number, at, result
    return None


def _scorecards(db: Database) -> list[tuple[int, str, dict[str, Any], int | None]]:
    rows = db.rows(
        "SELECT scorecard.id, scorecard.created_at, result, adapter_id, name FROM scorecard"
        " LEFT JOIN adapter ON adapter.id = adapter_id ORDER BY scorecard.id"
    )
    names: dict[str, str] = dict(db.rows("SELECT hash, name FROM adapter"))
    found = []
    for number, at, text, owner, name in rows:
        result = json.loads(text)
        for key, content_hash in _played(result).items():
            result[key] = names.get(content_hash) or f"{result.get(key)}{ELSEWHERE}"
        if name is not None and result.get("adapter"):
            result["adapter"] = name
        found.append((number, at, result, owner))
    return found


def _played(result: dict[str, Any]) -> dict[str, str]:
    hashes = result.get(PLAYED)
    return hashes if isinstance(hashes, dict) else {}
