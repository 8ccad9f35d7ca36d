"""A run that is killed while it scores repeats no finished passage, and ends with the bytes of an undisturbed one."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from core.retrieval.query_head import HEAD_FILE
from core.retrieval.retrievers import FOLDER
from core.runs.control import follow, run_to_end, start
from core.runs.journal import holder, load_run, read_events
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from core.workspace import Workspace
from tests.training.retriever.harbor import make_harbor

pytestmark = pytest.mark.slow
KILLED_AFTER = 4
"""Passages."""
SCORED_AGAIN = """
CREATE TRIGGER scored_again BEFORE INSERT ON call_cache WHEN new.key IN (SELECT key FROM call_cache)
BEGIN SELECT raise(ABORT, 'scored again'); END
"""


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace of three interviews and no decision, and the params of a run that learns from likelihoods alone."""
    workspace = make_harbor(tmp_path_factory.mktemp("killed"), decided=False, interviews=4)
    params = retriever_params(workspace, candidates=2, steps=5, use=False)
    params["settings"]["answer_tokens"] = 4
    workspace.database.close()
    return workspace.root, params


def _killed(folder: Path, params: dict[str, Any]) -> tuple[Workspace, str]:
    workspace = Workspace.open(folder)
    run = start(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params)
    pid = holder(run.folder / "lock")
    assert pid is not None
    for event in follow(workspace, run.id):
        if event.kind == "progress" and event.payload["done"] >= KILLED_AFTER:
            os.kill(pid, signal.SIGKILL)
    assert load_run(workspace.runs, run.id).state == "lost"
    return workspace, run.id


def _head(workspace: Workspace, run_id: str) -> bytes:
    return (workspace.adapters / FOLDER / run_id / HEAD_FILE).read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(undecided: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root, params = undecided
    for name in ("undisturbed", "killed"):
        shutil.copytree(root, tmp_path / name)
    whole = Workspace.open(tmp_path / "undisturbed")
    done = run_to_end(whole, RETRIEVER_KIND, RETRIEVER_ENTRY, params)
    workspace, run_id = _killed(tmp_path / "killed", params)
    assert not list(workspace.adapters.rglob(HEAD_FILE))
    scored = int(workspace.database.value("SELECT count(*) FROM call_cache"))
    assert KILLED_AFTER <= scored < int(whole.database.value("SELECT count(*) FROM call_cache"))
    with workspace.database.write():
        workspace.database.execute(SCORED_AGAIN)
    again = run_to_end(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params, resume_id=run_id)
    assert again == done
    assert _head(workspace, run_id) == _head(whole, "retriever-1")
    assert done["questions"] == {"train": 12, "validation": 0}
    assert 0 < done["target_entropy"] <= 1
    # It learns: the divergence from the language model's preference falls.
    told = [event.payload for event in read_events(whole.runs / "retriever-1")[0] if event.kind == "metrics"]
    assert told[-1]["loss"] < told[0]["loss"]
