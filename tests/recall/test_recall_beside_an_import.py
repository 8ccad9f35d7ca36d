"""What an import takes away beside a recall run is not recalled from, and stops nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.recall.load import load_recollector
from core.recall.recollect import Recalled, Recollector
from core.recall.run import RecallWork, exchanges_to_recall
from core.runs.job import Job
from core.store.chunks import remove_chunks
from core.store.memories import recall_keys, review_rows
from core.workspace import Workspace

ASKED = 3
Beside = Callable[[Workspace, Recalled], None]


@pytest.fixture
def sample(embedded_sample: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(embedded_sample, tmp_path / "ada")
    return Workspace.open(tmp_path / "ada")


def _recall(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, beside: Beside) -> RecallWork:
    """Recall for the first questions; ``beside`` happens once, between the first recall and its storing."""
    happens = iter([beside])
    whole = Recollector.recall

    async def recall(self: Recollector, *arguments: Any) -> Recalled:
        recalled = await whole(self, *arguments)
        next(happens, lambda *_: None)(Workspace.open(workspace.root), recalled)
        return recalled

    monkeypatch.setattr(Recollector, "recall", recall)
    job = SimpleNamespace(
        workspace=workspace, params={}, progress=lambda *_: None, stop_point=lambda: None, stop_requested=False
    )
    work = RecallWork(cast(Job, job), *load_recollector(workspace, live=True), exchanges_to_recall(workspace, ASKED))
    asyncio.run(work.all())
    monkeypatch.undo()
    return work


def test_an_exchange_that_went_meanwhile_is_passed_over(sample: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, first), *_ = exchanges_to_recall(sample, ASKED)

    def remove(other: Workspace, _: Recalled) -> None:
        with other.database.write():
            other.database.execute("DELETE FROM exchange WHERE id = ?", (first.id,))

    _recall(sample, monkeypatch, remove)
    assert len({row.memory.exchange_id for row in review_rows(sample.database)}) == ASKED - 1


def test_an_exchange_whose_passage_went_meanwhile_is_recalled_again(
    sample: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, first), *_ = exchanges_to_recall(sample, ASKED)
    gone: list[int] = []

    def remove(other: Workspace, recalled: Recalled) -> None:
        gone.append(recalled.memories[0].found.passage.chunk.id)
        with other.database.write():
            remove_chunks(other.database, gone)

    _recall(sample, monkeypatch, remove)
    kept = [row.memory for row in review_rows(sample.database) if row.memory.exchange_id == first.id]
    assert kept
    assert gone[0] not in {memory.chunk_id for memory in kept}
    assert len(recall_keys(sample.database)) == ASKED - 1
    _recall(sample, monkeypatch, lambda *_: None)
    assert len(recall_keys(sample.database)) == ASKED
