"""Start, stop and resume runs: numbers that are never given twice, stops that reach the right process, a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import RunError
from core.runs import control, process
from core.runs.journal import EventLog, Run, create_run, load_run
from core.store.adapters import AdapterRow, put_adapter
from core.workspace import Workspace

NOWHERE = "core.nowhere:run"
"""Work that fails as soon as it has begun."""


def _begun(workspace: Workspace, kind: str) -> str:
    run = control.start(workspace, kind, NOWHERE, {})
    for _ in control.follow(workspace, run.id):
        pass
    return run.id


def test_a_number_that_something_still_goes_by_is_not_given_again(workspace: Workspace) -> None:
    assert _begun(workspace, "sft") == "sft-1"
    for path in sorted((workspace.runs / "sft-1").iterdir()):
        path.unlink()
    (workspace.runs / "sft-1").rmdir()
    (workspace.adapters / "sft-1").mkdir()
    assert _begun(workspace, "sft") == "sft-2"
    with workspace.database.write():
        row = AdapterRow(0, "sft-4", None, "sft-5", "b", "r", 0, "adapters/sft-4", "h", {}, "2026-01-01")
        put_adapter(workspace.database, row)
        workspace.database.execute(
            "INSERT INTO model_call (started_at, ended_at, run, role, engine, host, model, purpose, bytes, about, key,"
            " outcome, prompt_tokens, answer_tokens, cost) VALUES ('', '', 'recall-3', '', '', '', '', '', 0, '[]', '',"
            " '', 0, 0, 0)"
        )
    (workspace.adapters / "retriever" / "retriever-2").mkdir(parents=True)
    assert [_begun(workspace, kind) for kind in ("sft", "recall", "retriever")] == ["sft-6", "recall-4", "retriever-3"]


AT_WORK = """
import sys, time
from pathlib import Path
from core.runs.job import Job
from core.runs.journal import STOP, EventLog, holding
from core.workspace import Workspace
folder = Path(sys.argv[1])
with holding(folder / "lock"):
    job = Job(Workspace(folder.parents[1]), folder, {}, EventLog(folder), folder / STOP)
    print("at work", flush=True)
    while not job.stop_requested:
        time.sleep(0.01)
print("stopped as asked", flush=True)
"""
SLEEP = "import time; print('asleep', flush=True); time.sleep(600)"


def _process(*arguments: str) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline()
    return started


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return create_run(workspace.runs, "sft", NOWHERE, {})


@pytest.fixture
def worker(run: Run) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run and looks at safe points whether it is asked to stop."""
    started = _process(AT_WORK, str(run.folder))
    yield started
    started.kill()
    started.communicate()


def test_a_process_that_is_surely_the_runs_gets_a_signal(
    workspace: Workspace, run: Run, worker: subprocess.Popen[str]
) -> None:
    assert control.cancel(workspace, run.id).signalled
    assert worker.wait(60) == -15


@pytest.mark.parametrize("place", [1, 2, 3], ids=["another host", "another container", "a number used again"])
def test_a_process_of_the_same_number_is_left_alone_and_the_run_stops_by_its_file(
    workspace: Workspace, run: Run, worker: subprocess.Popen[str], place: int
) -> None:
    bystander = _process(SLEEP)
    told = process.mark().split(" ")
    told[0], told[3] = str(bystander.pid), Path(f"/proc/{bystander.pid}/stat").read_text().split()[21]
    assert process.is_marked(" ".join(told))
    told[place] = "4"
    (run.folder / "lock").write_text(" ".join(told))
    try:
        asked = control.cancel(workspace, run.id)
        assert not asked.signalled
        assert worker.communicate(timeout=60)[0] == "stopped as asked\n"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


def test_the_command_says_that_it_asked_by_a_file(
    workspace: Workspace, run: Run, worker: subprocess.Popen[str], simulee: Callable[..., Any]
) -> None:
    (run.folder / "lock").write_text(f"{worker.pid} another-host pid:[1] 5")
    done = simulee("runs", "cancel", run.id, "-w", workspace.root)
    assert done.stdout.startswith("asked sft-1 to stop, by a file alone: its process is not this machine's")
    assert worker.wait(60) == 0


def test_what_does_not_run_cannot_be_stopped(workspace: Workspace, run: Run) -> None:
    with pytest.raises(RunError, match="sft-1 is not running: it is queued"):
        control.cancel(workspace, run.id)
    assert not (run.folder / "stop").exists()


def test_what_was_asked_of_an_earlier_attempt_does_not_stop_the_next(workspace: Workspace, run: Run) -> None:
    (run.folder / "stop").touch()
    control.resume(workspace, run.id)
    for _ in control.follow(workspace, run.id):
        pass
    ended = load_run(workspace.runs, run.id)
    assert ended.state == "failed"
    assert "core.nowhere" in ended.result["error"]
    assert not (run.folder / "stop").exists()


RESUME = """
import resource, sys
from pathlib import Path
from core.errors import RunError
from core.runs import control
from core.workspace import Workspace
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    control.resume(Workspace.open(Path(sys.argv[1])), sys.argv[2])
except RunError as error:
    print(error.message, error.hint, sep="\\n")
"""


def test_a_run_that_finds_no_room_to_begin_says_so_and_stays_as_it_ended(workspace: Workspace, run: Run) -> None:
    """The size limit of a file stands for the disk."""
    log = EventLog(run.folder)
    log.append("started", {})
    log.close()
    ended = {"state": "failed", "result": {"error": "the disk is full", "hint": "", "exit_code": 1}}
    (run.folder / "state.json").write_text(json.dumps(ended))
    done = subprocess.run(
        [sys.executable, "-c", RESUME, str(workspace.root), run.id], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "the disk is full", "free some space, then simulee runs resume sft-1 goes on where it stopped",
    ]  # fmt: skip
    after = load_run(workspace.runs, run.id)
    assert (after.state, after.result) == ("failed", ended["result"])
    assert not (run.folder / ".room").exists()
