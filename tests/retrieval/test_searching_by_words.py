"""Search by words: the subject of a question counts, the way it is asked does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.models.load_embedder import load_embedder
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.workspace import Workspace

NOTES = {
    "2011-01-01 Lamp.md": "The lamp at the head went out in March.",
    "2012-01-01 Nothing.md": "What did you do about it, she asked, and why would you.",
}


@pytest.fixture
def searched(workspace: Workspace, tmp_path: Path, import_paths) -> Searcher:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text, "utf-8")
    import_paths(workspace, [folder])
    run_to_end(workspace, "embed", "core.retrieval.embedding:run", {})
    return Searcher(workspace, load_embedder)


def test_function_words_bring_no_passage_unless_the_query_has_nothing_else(searched: Searcher) -> None:
    def titles(text: str) -> list[str]:
        return [found.passage.title for found in searched.search(Query(text, mode="lexical"))]

    assert titles("What did you do about the lamp?") == ["Lamp"]
    assert titles("what did you do") == ["Nothing"]
