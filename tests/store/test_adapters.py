"""Rows of adapters: a run that trains again replaces all that was known of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.store.adapters import AdapterRow, find_adapter, put_adapter
from core.workspace import Workspace


def test_the_same_run_replaces_everything_about_its_adapter(tmp_path: Path) -> None:
    database = Workspace.create(tmp_path / "ws", "Ada").database
    first = AdapterRow(0, "sft-1", None, "sft-1", "old base", "r1", 0, "adapters/sft-1", "h1", {"a": 1}, "2026-01-01")
    second = replace(
        first, base="new base", revision="r2", memories=1, hash="h2", settings={"b": 2}, created_at="2026-02-01"
    )
    with database.write():
        number = put_adapter(database, first)
        assert put_adapter(database, second) == number
    assert find_adapter(database, "sft-1") == replace(second, id=number)
