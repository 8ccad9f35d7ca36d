"""Adapters: trained LoRA weights, what they were trained on, and which of them the twin uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.store.database import Database, Row

INHERITED = "inherited"
"""In an adapter's settings: the hashes of the datasets that are in its weights because the adapter that it goes on from
was trained on them; empty for one that nobody knows."""
INHERITED_PREFERENCES = "inherited_preferences"
"""The same of judgements: what the settings of each adapter before it say of those that it was trained on."""
_PREFERENCES = "preferences"
_COLUMNS = "adapter.id, name, dataset_id, run_id, base, revision, memories, path, hash, settings, created_at"


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """One trained adapter. ``id`` is 0 before it is stored; ``path`` is relative to the workspace."""

    id: int
    name: str
    dataset_id: int | None
    run_id: str
    base: str
    revision: str
    memories: int
    path: str
    hash: str
    settings: dict[str, Any]
    created_at: str


def put_adapter(db: Database, adapter: AdapterRow) -> int:
    """Store an adapter; the same run replaces its own, with all that is known of it. Returns its id."""
    row = (
        adapter.name, adapter.dataset_id, adapter.run_id, adapter.base, adapter.revision, adapter.memories,
        adapter.path, adapter.hash, json.dumps(adapter.settings, sort_keys=True), adapter.created_at,
    )  # fmt: skip
    known = db.value("SELECT id FROM adapter WHERE run_id = ?", (adapter.run_id,))
    if known is not None:
        db.execute(
            "UPDATE adapter SET (name, dataset_id, run_id, base, revision, memories, path, hash, settings, created_at)"
            " = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
            (*row, known),
        )
        return int(known)
    return db.insert(
        "INSERT INTO adapter (name, dataset_id, run_id, base, revision, memories, path, hash, settings, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def names_taken(db: Database) -> set[str]:
    """Every name of a run that a row still goes by: adapters, and the ledger of calls."""
    return {name for (name,) in db.rows(
        "SELECT name FROM adapter UNION SELECT run_id FROM adapter UNION SELECT run FROM model_call"
    )}  # fmt: skip


def list_adapters(db: Database) -> list[AdapterRow]:
    return [_row(row) for row in db.rows(f"SELECT {_COLUMNS} FROM adapter ORDER BY id")]


def find_adapter(db: Database, name: str) -> AdapterRow | None:
    row = db.one(f"SELECT {_COLUMNS} FROM adapter WHERE name = ?", (name,))
    return _row(row) if row else None


def active_adapter(db: Database) -> AdapterRow | None:
    """The adapter the twin uses, or None for the bare base model."""
    row = db.one(f"SELECT {_COLUMNS} FROM adapter JOIN active_adapter ON adapter.id = adapter_id")
    return _row(row) if row else None


def use_adapter(db: Database, adapter_id: int | None) -> None:
    """Choose the twin's adapter; None goes back to the bare base model."""
    db.execute("DELETE FROM active_adapter")
    if adapter_id is not None:
        db.execute("INSERT INTO active_adapter (one, adapter_id) VALUES (1, ?)", (adapter_id,))


def inherited(db: Database, start: str) -> list[str]:
    """What an adapter that goes on from another keeps as ``INHERITED``: every dataset behind that one."""
    adapter = find_adapter(db, start)
    if adapter is None:
        return [""]
    own = db.value("SELECT hash FROM dataset WHERE id = ?", (adapter.dataset_id,))
    return sorted({*([str(own or "")] if _has_dataset(adapter) else []), *adapter.settings.get(INHERITED, ())})


def datasets_behind(db: Database, adapter: AdapterRow) -> tuple[list[int], bool]:
    """Every dataset that is in an adapter's weights, its own first, and whether all of them are here."""
    hashes = adapter.settings.get(INHERITED, ())
    found = [db.value("SELECT id FROM dataset WHERE hash = ?", (each,)) for each in hashes]
    every = dict.fromkeys([*([adapter.dataset_id] if _has_dataset(adapter) else []), *found])
    return [int(each) for each in every if each is not None], None not in every


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgements of one run on preferences."""

    references: tuple[tuple[str, str], ...]
    """The uid of a pair or of a rated answer, and what was chosen."""
    file: str
    """Where they were read from; empty for the workspace's own."""


def inherited_preferences(db: Database, start: str) -> list[dict[str, Any]]:
    """What an adapter that goes on from another keeps as ``INHERITED_PREFERENCES``."""
    adapter = find_adapter(db, start)
    return [{_PREFERENCES: each.references, "file": each.file} for each in judged_behind(adapter)] if adapter else []


def judged_behind(adapter: AdapterRow) -> list[Judged]:
    """Every run on preferences that is in an adapter's weights, its own first."""
    own = [adapter.settings] if _PREFERENCES in adapter.settings else []
    return [
        Judged(tuple((str(uid), str(choice)) for uid, choice in each[_PREFERENCES]), str(each.get("file") or ""))
        for each in [*own, *adapter.settings.get(INHERITED_PREFERENCES, ())]
    ]


def _has_dataset(adapter: AdapterRow) -> bool:
    """Whether a dataset of its own is in its weights; one that was trained on preferences alone has none."""
    return adapter.dataset_id is not None or _PREFERENCES not in adapter.settings


def _row(row: Row) -> AdapterRow:
    return AdapterRow(*[*row[:9], json.loads(row[9]), row[10]])
