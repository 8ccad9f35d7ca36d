"""Datasets, adapters and scorecards of the other side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.store.adapters import AdapterRow, put_adapter
from core.store.database import Database
from core.store.merging.review import Places
from core.store.merging.tables import Tally

_ADAPTER = "id, name, dataset_id, run_id, base, revision, memories, path, hash, settings, created_at"


def merge_datasets(db: Database, places: Places, tally: Tally) -> None:
    """Bring datasets with their examples, and let every dataset know what it can have known of the merged log.

    The caller holds the transaction; so below.
    """
    rows = {row[0]: row for row in db.rows("SELECT hash, settings, decision, created_at, built_at FROM other.dataset")}
    own = {row[0]: row for row in db.rows("SELECT hash, id, decision, created_at, built_at FROM main.dataset")}
    for content_hash, dataset_id, decision, created_at, built_at in own.values():
        known = places.known_until(decision, places.own) if places.changed else decision
        theirs = rows.get(content_hash)
        if theirs is not None:
            known = max(known, places.known_until(theirs[2], places.other))
            created_at, built_at = min(created_at, theirs[3]), max(built_at, theirs[4])
        db.execute(
            "UPDATE main.dataset SET decision = ?, created_at = ?, built_at = ? WHERE id = ?",
            (known, created_at, built_at, dataset_id),
        )
    for content_hash, settings, decision, created_at, built_at in sorted(
        (row for row in rows.values() if row[0] not in own), key=lambda row: (row[4], row[0])
    ):
        tally.added["datasets"] += 1
        dataset_id = db.insert(
            "INSERT INTO main.dataset (hash, settings, decision, created_at, built_at) VALUES (?, ?, ?, ?, ?)",
            (content_hash, settings, places.known_until(decision, places.other), created_at, built_at),
        )
        db.execute(
            "INSERT INTO main.example (dataset_id, position, split, conversation_uid, messages, tokens, trained_tokens)"
            " SELECT ?, position, split, conversation_uid, messages, tokens, trained_tokens FROM other.example"
            " WHERE dataset_id = (SELECT id FROM other.dataset WHERE hash = ?) ORDER BY position",
            (dataset_id, content_hash),
        )
        db.execute(
            "INSERT INTO main.example_part (example_id, position, exchange_uid, memory_uids, recall)"
            " SELECT own.id, part.position, part.exchange_uid, part.memory_uids, part.recall"
            " FROM other.example_part AS part JOIN other.example AS theirs ON theirs.id = part.example_id"
            " JOIN main.example AS own ON own.dataset_id = ?1 AND own.position = theirs.position"
            " WHERE theirs.dataset_id = (SELECT id FROM other.dataset WHERE hash = ?2)",
            (dataset_id, content_hash),
        )


@dataclass(frozen=True, slots=True)
class Brought:
    """Under which name, run and folder an adapter comes here."""

    name: str
    run_id: str
    path: str


def their_adapters(db: Database) -> list[AdapterRow]:
    """The other side's adapters, in their order."""
    rows = db.rows(f"SELECT {_ADAPTER} FROM other.adapter ORDER BY id")
    return [AdapterRow(*[*row[:9], _settings(row[9]), row[10]]) for row in rows]


def same_adapter(db: Database, adapter: AdapterRow) -> int | None:
    """The id of the adapter here that has the same weights on the same base."""
    value = db.value(
        "SELECT id FROM main.adapter WHERE hash = ? AND base = ? AND revision = ? AND memories = ?",
        (adapter.hash, adapter.base, adapter.revision, adapter.memories),
    )
    return None if value is None else int(value)


def add_adapter(db: Database, adapter: AdapterRow, brought: Brought) -> int:
    """Store one of the other side's adapters; another name than its own is kept in its settings. Returns its id."""
    dataset = db.value(
        "SELECT own.id FROM other.dataset AS theirs JOIN main.dataset AS own ON own.hash = theirs.hash"
        " WHERE theirs.id = ?",
        (adapter.dataset_id,),
    )
    settings = dict(adapter.settings)
    if brought.name != adapter.name:
        settings["was"] = adapter.name
    return put_adapter(
        db,
        AdapterRow(
            0, brought.name, dataset, brought.run_id, adapter.base, adapter.revision, adapter.memories, brought.path,
            adapter.hash, settings, adapter.created_at,
        ),
    )  # fmt: skip


def merge_scorecards(db: Database, adapters: Mapping[int, int], tally: Tally) -> None:
    """Bring scorecards; ``adapters`` tells their ids here."""
    rows = db.rows(
        "SELECT theirs.adapter_id, own.id, theirs.result, theirs.created_at FROM other.scorecard AS theirs"
        " LEFT JOIN other.dataset AS built ON built.id = theirs.dataset_id"
        " LEFT JOIN main.dataset AS own ON own.hash = built.hash"
        " WHERE NOT EXISTS (SELECT 1 FROM main.scorecard AS known WHERE known.created_at = theirs.created_at"
        " AND known.result = theirs.result) ORDER BY theirs.id"
    )
    for adapter_id, dataset_id, result, created_at in rows:
        tally.added["scorecards"] += 1
        db.execute(
            "INSERT INTO main.scorecard (adapter_id, dataset_id, result, created_at) VALUES (?, ?, ?, ?)",
            (adapters.get(adapter_id), dataset_id, result, created_at),
        )


def _settings(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
