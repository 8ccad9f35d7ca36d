"""Search by words: the subject of a question counts, the way it is asked does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.models.load_embedder import load_embedder
from core.retrieval.lexical import LexicalOrder
from core.retrieval.search import Mode, Query, Searcher
from core.runs.control import run_to_end
from core.workspace import Workspace

MODES: tuple[Mode, ...] = ("hybrid", "lexical", "vector")
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


def test_in_a_large_corpus_the_same_is_found_beside_the_vectors(
    searched: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [Query(text, mode=mode) for text in ("the lamp in March", "why would she", "") for mode in MODES]
    small = [searched.search(query) for query in queries]
    monkeypatch.setattr("core.retrieval.lexical.LARGE", 0)
    assert [searched.search(query) for query in queries] == small
    assert any(small)


def test_in_a_large_corpus_the_commonest_words_give_way(
    workspace: Workspace, tmp_path: Path, import_paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(6):
        rare = ("ferry", "lantern")[number] if number < 2 else "weather"
        (folder / f"2011-01-0{number + 1} Note {number}.md").write_text(f"The harbor and the {rare}.", "utf-8")
    import_paths(workspace, [folder])
    run_to_end(workspace, "embed", "core.retrieval.embedding:run", {})

    def found() -> int:
        return len(LexicalOrder(workspace).begin("the harbor, a ferry, a lantern, a zeppelin", 6, None, True, 0)())

    assert found() == 6
    monkeypatch.setattr("core.retrieval.lexical.LARGE", 0)
    monkeypatch.setattr("core.retrieval.lexical.MOST_SCORED", 4)
    words = ["harbor", "ferry", "lantern", "zeppelin"]
    chosen = LexicalOrder(workspace)._choices(workspace.database, words)
    assert chosen == [["ferry", "lantern"], words], "what no passage holds does not count as kept"
    assert found() == 6, "more is wanted than the rare words bring"
