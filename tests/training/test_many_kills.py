"""Killed again and again, half the time inside a save, a training ends with the very bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from core.runs.control import follow, result_of, resume, run_to_end, start
from core.runs.journal import Run, holder, load_run, read_events
from core.training.checkpoints import MANIFEST
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import tiny_dataset

KILLS = int(os.environ.get("SIMULEE_TRAINING_KILLS", "4"))
"""Twenty of them take about ten minutes on two cores."""
STEPS = max(12, 3 * KILLS)


def _unsealed(run: Run) -> bool:
    """Whether a checkpoint is being written."""
    return any(not (each / MANIFEST).exists() for each in (run.folder / "checkpoints").glob("checkpoint-*"))


def _killed(run: Run, inside_a_save: bool, chance: random.Random) -> bool:
    """Kill a run at some moment of its training; False where it ended before that."""
    pid = holder(run.folder / "lock")
    attempt = sum(event.kind == "started" for event in read_events(run.folder)[0])
    pause = chance.uniform(0, 1.5)

    def runs() -> bool:
        return pid is not None and load_run(run.folder.parent, run.id).state == "running"

    def trains() -> bool:
        events = read_events(run.folder)[0]
        begun = [place for place, event in enumerate(events) if event.kind == "started"][attempt - 1]
        return any(event.kind == "metrics" for event in events[begun:])

    while runs() and not trains():
        time.sleep(0.05)
    if not inside_a_save:
        time.sleep(pause)
    while runs():
        if inside_a_save and not _unsealed(run):
            time.sleep(0.002)
            continue
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        for _ in follow(Workspace.open(run.folder.parents[1]), run.id, from_start=False):
            pass
        return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(600 + 180 * KILLS)
def test_many_kills_half_of_them_inside_a_save_change_no_byte(tmp_path: Path) -> None:
    root, dataset = tiny_dataset(tmp_path)
    settings = {"max_steps": STEPS, "epochs": STEPS, "checkpoint_steps": 1, "evaluations": 1}
    hashes = []
    for name, kills in (("undisturbed", 0), ("killed", KILLS)):
        shutil.copytree(root, tmp_path / name)
        workspace = Workspace.open(tmp_path / name)
        params = sft_params(workspace, dataset, **settings)  # type: ignore[arg-type]
        if not kills:
            hashes.append(run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)["hash"])
            continue
        chance = random.Random(11)
        run = start(workspace, SFT_KIND, SFT_ENTRY, params)
        done = 0
        for number in range(kills):
            if not _killed(run, number % 2 == 1, chance):
                break
            done += 1
            assert load_run(workspace.runs, run.id).state == "lost"
            run = resume(workspace, run.id)
        for _ in follow(workspace, run.id):
            pass
        hashes.append(result_of(workspace, run.id)["hash"])
        assert done == kills
        damaged = [
            name for event in read_events(run.folder)[0] if event.kind == "plan" for name in event.payload["damaged"]
        ]
        assert damaged, "no kill fell inside a save"
    assert hashes[0] == hashes[1]
