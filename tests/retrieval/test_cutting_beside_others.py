"""What changes beside a run that cuts passages: it is not undone, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.corpus.holdout import assign_splits, hold_out
from core.models.embedder import Embedder
from core.retrieval.embedding import cut_corpus
from core.runs.job import Job
from core.store.conversations import trainable_conversations
from core.store.documents import list_documents
from core.workspace import Workspace

Importing = Callable[..., dict[str, Any]]


@pytest.fixture
def talks(workspace: Workspace, import_paths: Importing, tmp_path: Path) -> Workspace:
    """Two interviews and two notes."""
    for year in (2010, 2011):
        (tmp_path / f"talk-{year}.txt").write_text(
            f"Title: Talk {year}\nDate: {year}-05-01\nInterviewer: Ines Calder\nInterviewee: Ada Marlow\n\n"
            f"Q: What of {year}?\nA: It rained on the harbor of {year}.\n",
            "utf-8",
        )
        (tmp_path / f"note-{year}.md").write_text(f"The ledger of {year} was lost.", "utf-8")
    import_paths(workspace, sorted(tmp_path.glob("*-20*")))
    assign_splits(workspace)
    return workspace


def _cut(workspace: Workspace, embedder: Embedder, beside: Callable[[], object]) -> None:
    """Cut everything; ``beside`` happens once, after the first owner was cut."""
    happens = iter([beside])

    def progress(*_: object) -> None:
        next(happens, lambda: None)()

    job = SimpleNamespace(workspace=workspace, progress=progress, stop_point=lambda: None)
    cut_corpus(cast(Job, job), embedder)


def _passages(workspace: Workspace, words: str) -> int:
    return int(workspace.database.value("SELECT count(*) FROM chunk WHERE instr(text, ?)", (words,)))


def test_a_conversation_held_out_meanwhile_has_no_passages(talks: Workspace, embedder: Embedder) -> None:
    other = Workspace.open(talks.root)
    last = trainable_conversations(talks.database)[-1]
    _cut(talks, embedder, lambda: hold_out(other, [f"c{last.id}"]))
    assert _passages(talks, "harbor of 2010") == 1
    assert _passages(talks, "harbor of 2011") == 0
    _cut(talks, embedder, lambda: None)
    assert _passages(talks, "harbor of 2011") == 0


def test_what_was_removed_or_corrected_meanwhile_is_left_to_the_next_cut(
    talks: Workspace, embedder: Embedder, import_paths: Importing, tmp_path: Path
) -> None:
    other = Workspace.open(talks.root)
    talk = tmp_path / "talk-2011.txt"
    note = tmp_path / "note-2011.md"
    assert [each.text for each in list_documents(talks.database)][1:] == ["The ledger of 2011 was lost."]

    def corrected() -> None:
        talk.write_text(talk.read_text("utf-8").replace("It rained", "It poured"), "utf-8")
        note.write_text("The ledger of 2011 was found.", "utf-8")
        import_paths(other, [talk, note])

    _cut(talks, embedder, corrected)
    assert _passages(talks, "rained on the harbor of 2011") == _passages(talks, "2011 was lost") == 0
    _cut(talks, embedder, lambda: None)
    assert _passages(talks, "poured on the harbor of 2011") == _passages(talks, "2011 was found") == 1
