"""How far a run is: told at most a few times a second, and at its end as it stands there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from core.runs.job import Job
from core.runs.journal import create_run, load_run
from core.runs.snapshot import picture_of
from core.workspace import Workspace


class Told(list[tuple[int, int]]):
    """How far the work was, each time that it was told."""

    def append(self, kind: str, payload: dict[str, Any]) -> None:  # type: ignore[override]
        assert kind == "progress"
        super().append((payload["done"], payload["total"]))


def test_what_was_held_back_is_told_at_the_end_and_once(workspace: Workspace, tmp_path: Path) -> None:
    told = Told()
    job = Job(workspace, tmp_path, {}, told)
    for done in range(1, 8):
        job.progress(done, 9)
    assert told == [(1, 9)]
    job.last_progress()
    job.last_progress()
    assert told == [(1, 9), (7, 9)]
    job.progress(8, 9)
    job.progress(9, 9)
    job.last_progress()
    assert told == [(1, 9), (7, 9), (9, 9)]


WORK = """
import sys
from pathlib import Path
from types import ModuleType
from core.errors import Interrupted
from core.runs.worker import main

def count(job):
    for done in range(1, 6):
        job.progress(done, 9, "counting")
    if job.params["ends"] == "cancelled":
        raise Interrupted("stopped as asked", "")
    if job.params["ends"] == "failed":
        raise ValueError("it broke")
    return {}

work = sys.modules["core.counting"] = ModuleType("core.counting")
work.count = count
for run_id in sys.argv[2:]:
    main(Path(sys.argv[1]), run_id)
"""


def test_a_run_that_has_ended_shows_how_far_it_came(workspace: Workspace) -> None:
    states = ["done", "cancelled", "failed"]
    runs = [create_run(workspace.runs, "serve", "core.counting:count", {"ends": state}) for state in states]
    command = [sys.executable, "-c", WORK, str(workspace.root), *(run.id for run in runs)]
    subprocess.run(command, check=True, capture_output=True)
    pictures = [picture_of(load_run(workspace.runs, run.id)) for run in runs]
    assert [(each.state, each.done, each.total) for each in pictures] == [(state, 5, 9) for state in states]
