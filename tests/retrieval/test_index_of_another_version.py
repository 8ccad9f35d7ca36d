"""An index that is missing is made again at the next search; nobody has to know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.journey import EMBED
from core.models.load_embedder import load_embedder
from core.retrieval.embedding import open_index
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.workspace import Workspace


def test_vectors_without_an_index_are_indexed_when_they_are_searched(
    workspace: Workspace, import_paths: Callable[..., Any], tmp_path: Path
) -> None:
    note = tmp_path / "lamp.md"
    note.write_text("---\ntitle: Lamp\ndate: 2011-01-01\n---\nThe light on the head went out in March.")
    import_paths(workspace, [note])
    run_to_end(workspace, *EMBED, {})
    embedder = load_embedder()
    database = workspace.database
    table = database.value("SELECT name FROM sqlite_schema WHERE name LIKE 'vector_index_%' AND sql LIKE '%vec0%'")
    database.execute(f"DROP TABLE {table}")
    found = Searcher(workspace, lambda: embedder).search(Query("a beacon that fails", mode="vector"))
    assert [hit.passage.title for hit in found] == ["Lamp"]
    assert open_index(workspace, embedder).check() == []
