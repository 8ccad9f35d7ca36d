"""What a ``retriever`` run will take: as one like it took on this machine, with the device that it has now."""

from __future__ import annotations

import json
from pathlib import Path

from core.runs.journal import EventLog, create_run
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from core.training.retriever.outlook import outlook
from core.transfer.runs import mark_brought
from core.workspace import Workspace
from tests.training.retriever.harbor import make_harbor


def _done(workspace: Workspace, device: str) -> Path:
    run = create_run(workspace.runs, RETRIEVER_KIND, RETRIEVER_ENTRY, retriever_params(workspace))
    log = EventLog(run.folder)
    log.append("plan", {"device": device})
    log.close()
    (run.folder / "state.json").write_text(json.dumps({"state": "done", "result": {}}), "utf-8")
    return run.folder


def test_only_a_run_that_this_machine_did_with_its_device_measures_the_next(tmp_path: Path) -> None:
    workspace = make_harbor(tmp_path, interviews=4)
    own = _done(workspace, "cpu")
    mark_brought(_done(workspace, "cpu"))
    _done(workspace, "cuda")
    assert outlook(workspace, retriever_params(workspace)).measured_by == own.name
    workspace.database.close()
