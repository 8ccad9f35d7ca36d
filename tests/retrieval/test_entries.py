"""Entries of the journal are found at once: by words, by likeness, and by the questions that they answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.journey import EMBED
from core.models.embedder import Embedder
from core.retrieval.entries import index_entries, keep_entry
from core.retrieval.question_index import open_question_index
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.runs.journal import list_runs
from core.store.chunks import chunks_without_vector
from core.store.questions import question_counts
from core.store.sources import list_sources
from core.workspace import Workspace
from tests.fault_server import FaultServer

Searching = Callable[..., Searcher]
SEA = "The tide came over the wall again and took the damson jars."
LONG = "\n\n".join(
    f"Paragraph {number} tells of lamps and charts and of the heron on the pier." for number in range(60)
)


def until(true: Callable[[], Any], workspace: Workspace, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, (workspace.root / "journal.log").read_text()
        time.sleep(0.05)


def texts(searcher: Searcher, words: str, mode: Any) -> list[str]:
    return [found.passage.chunk.text for found in searcher.search(Query(words, mode=mode))]


def test_words_find_an_entry_when_it_is_kept_and_likeness_a_moment_later(
    workspace: Workspace, searcher: Searching, embedder: Embedder
) -> None:
    kept = keep_entry(workspace, SEA, embedder=embedder)
    assert (kept.trouble, kept.saved.words) == ("", 12)
    search = searcher(workspace)
    assert texts(search, "damson", "lexical") == [SEA]
    until(lambda: texts(search, "flooding by sea water", "vector") == [SEA], workspace)
    done = run_to_end(workspace, *EMBED, {})
    assert (done["added"], done["embedded"]) == (0, 0), "an embed run finds nothing left to do, and changes nothing"


def test_an_entry_of_the_workbench_is_found_without_a_tokenizer_there(
    workspace: Workspace, searcher: Searching
) -> None:
    assert keep_entry(workspace, LONG, now=False).trouble == ""
    search = searcher(workspace)
    until(lambda: texts(search, "heron", "lexical"), workspace)
    until(lambda: texts(search, "a bird at the harbor", "vector"), workspace)
    assert run_to_end(workspace, *EMBED, {})["added"] == 0


def test_many_entries_at_once_are_all_found(workspace: Workspace, embedder: Embedder, searcher: Searching) -> None:
    for number in range(8):
        keep_entry(workspace, f"Entry number {number} of a busy day", embedder=embedder)
    until(lambda: not chunks_without_vector(workspace.database, embedder.spec.model, embedder.spec.revision), workspace)
    assert len(searcher(workspace).search(Query("a busy day", k=20, mode="vector"))) == 8


def test_nothing_but_the_journal_is_embedded_by_the_way(
    workspace: Workspace, embedder: Embedder, tmp_path: Path, import_paths: Callable[..., Any]
) -> None:
    (tmp_path / "note.md").write_text("# Charts\n\nEvery map is an argument with the coast.")
    import_paths(workspace, [tmp_path / "note.md"])
    keep_entry(workspace, SEA, embedder=embedder)
    index_entries(workspace, embedder)
    assert [row[0] for row in workspace.database.rows("SELECT text FROM chunk")] == [SEA]


def test_an_entry_is_for_recall_only_and_used_for_nothing_where_one_says_so(
    workspace: Workspace, embedder: Embedder, searcher: Searching
) -> None:
    keep_entry(workspace, SEA, embedder=embedder)
    assert [source.use for source in list_sources(workspace.database)] == ["recall"]
    workspace.database.execute("UPDATE source SET use = 'none', use_chosen = 1")
    keep_entry(workspace, "Another of damson", embedder=embedder)
    assert texts(searcher(workspace), "damson", "lexical") == []


def test_questions_are_asked_about_entries_where_they_are_searched(
    workspace: Workspace, embedder: Embedder, tmp_path: Path, import_paths: Callable[..., Any]
) -> None:
    (tmp_path / "note.md").write_text("# Charts\n\nEvery map is an argument with the coast.")
    import_paths(workspace, [tmp_path / "note.md"])
    run_to_end(workspace, *EMBED, {})
    answer = json.dumps({"questions": ["What did the tide take when it came over the wall?"]})
    with FaultServer(content=lambda _: answer) as server:
        path = workspace.root / "persona.toml"
        path.write_text(
            f'{path.read_text()}[retrieval]\nquestions = true\n[models.writer]\nengine = "endpoint"\nmodel = "m"\n'
            f'base_url = "{server.url}"\n'
        )
        workspace.forget_settings()
        keep_entry(workspace, SEA, embedder=embedder)
        until(lambda: question_counts(workspace.database) == (1, 1), workspace)
        until(
            lambda: [run.state for run in list_runs(workspace.runs) if run.kind == "questions"] == ["done"], workspace
        )
    assert all(SEA in each.prompt for each in server.received), "only the journal is asked about"
    query = embedder.embed(["What did the sea carry off?"])[0]
    assert len(open_question_index(workspace, embedder).search(query, 3)) == 1
