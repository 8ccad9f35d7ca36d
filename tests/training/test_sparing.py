"""A run that had too little memory goes on with less of it, by the very same steps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.runs.control import cancel, follow, run_to_end, start
from core.runs.journal import EventLog, Run, create_run, load_run, read_events
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.sparing import spare, spared
from core.workspace import Workspace
from tests.training.tiny import tiny_base, tiny_dataset

STEPS = 16
"""Enough that a run is still at work when what it said of its second step is heard."""


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


def _failed(workspace: Workspace, kind: str = SFT_KIND, **plan: Any) -> Run:
    run = create_run(workspace.runs, kind, SFT_ENTRY, {"settings": {"rank": 16}})
    with closing(EventLog(run.folder)) as log:
        log.append("started", {})
        if plan:
            log.append("plan", plan)
    (run.folder / "state.json").write_text(json.dumps({"state": "failed", "result": {}}), "utf-8")
    return load_run(workspace.runs, run.id)


def test_rows_of_a_step_and_rows_in_memory_are_kept_where_nothing_else_is_said(workspace: Workspace) -> None:
    run = _failed(workspace, rows_per_step=16, processes=2, micro_batch=8)
    spare(run, None, None)
    assert spared(run.folder) == {}
    spare(run, True, None)
    wanted = {"settings": {"micro_batch": 8, "gradient_checkpointing": True}, "rows_per_step": 16}
    assert spared(run.folder) == wanted
    spare(run, None, 4)
    assert spared(run.folder) == wanted | {"settings": {"micro_batch": 4, "gradient_checkpointing": True}}
    # What the run was asked for stands as it was: it is the same run on every machine.
    assert load_run(workspace.runs, run.id).params == run.params


def test_rows_that_make_up_no_step_are_refused(workspace: Workspace) -> None:
    run = _failed(workspace, rows_per_step=16, processes=2, micro_batch=8)
    with pytest.raises(UsageError, match="a step of sft-1 reads 8 rows, which no batches of 3 make up"):
        spare(run, None, 3)
    assert spared(run.folder) == {}


def test_a_run_that_never_came_to_train_has_no_steps_to_keep(workspace: Workspace) -> None:
    run = _failed(workspace)
    spare(run, None, 3)
    assert spared(run.folder) == {"settings": {"micro_batch": 3}, "rows_per_step": None}


def test_other_kinds_of_runs_are_resumed_as_they_are(workspace: Workspace, simulee: Callable[..., Any]) -> None:
    run = _failed(workspace, kind="recall")
    with pytest.raises(UsageError, match="recall-1 is no fine-tuning"):
        spare(run, True, None)
    told = simulee("runs", "resume", run.id, "--micro-batch", 1, cwd=workspace.root)
    assert (told.returncode, "recall-1 is no fine-tuning" in told.stderr) == (2, True)


@pytest.mark.slow
def test_a_run_that_goes_on_with_less_memory_learns_the_same(
    untrained: tuple[Path, str], tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    shutil.copytree(untrained[0], tmp_path / "ws")
    workspace = Workspace.open(tmp_path / "ws")
    params = sft_params(
        workspace, untrained[1], tiny_base(tmp_path / "base"), max_steps=STEPS, epochs=10 * STEPS, batch=2,
        packing=False, micro_batch=2, learning_rate=1e-2,
    )  # fmt: skip
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    run = start(workspace, SFT_KIND, SFT_ENTRY, params)
    for event in follow(workspace, run.id):
        if event.kind == "checkpoint" and event.payload["step"] == 2:
            cancel(workspace, run.id)
    told = simulee("runs", "resume", run.id, "--micro-batch", 1, "--gradient-checkpointing", cwd=workspace.root)
    assert told.returncode == 0, told.stderr
    events = read_events(run.folder)[0]
    plans = [event.payload for event in events if event.kind == "plan"]
    assert [(each["micro_batch"], each["gradient_checkpointing"]) for each in plans] == [(2, False), (1, True)]
    assert plans[0]["rows_per_step"] == plans[1]["rows_per_step"] == 2
    assert plans[1]["resumed_from"] is not None
    losses = [
        {event.payload["step"]: event.payload["loss"] for event in read_events(folder)[0] if "loss" in event.payload}
        for folder in (workspace.runs / "sft-1", run.folder)
    ]
    assert losses[0].keys() == losses[1].keys() == set(range(1, STEPS + 1))
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[0][STEPS] < losses[0][1] - 1e-3
