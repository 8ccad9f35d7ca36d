"""kill -9 at any point: the run goes on, one job is started in all, and the file leaves at most once more."""

from __future__ import annotations

import os
import signal
import time

import pytest

from core.runs.control import resume, run_to_end, start
from core.runs.journal import Run, holder, is_alive, load_run
from core.store.datasets import list_datasets
from core.store.model_calls import outcomes
from core.training.hosted.launch import HOSTED_ENTRY, HOSTED_KIND, hosted_params
from core.workspace import Workspace
from tests.hosted_server import HostedServer
from tests.training.hosted.conftest import Hosted

pytestmark = pytest.mark.slow


def kill(run: Run) -> None:
    pid = holder(run.folder / "lock")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while is_alive(run.folder):
        time.sleep(0.005)


def begun(workspace: Workspace) -> Run:
    newest = list_datasets(workspace.database)[-1].hash
    return start(workspace, HOSTED_KIND, HOSTED_ENTRY, hosted_params(workspace, newest))


def test_killed_at_every_point_one_run_still_starts_one_job(hosted: Hosted) -> None:
    """Once before anything, then while each request is on its way there and on its way back."""
    points = ["upload:hang", "upload:hang after", "start:hang", "start:hang after", "job:hang", "events:hang"]
    with HostedServer() as server:
        workspace = hosted(server.url)
        run = begun(workspace)
        kill(run)
        for point in points:
            name, _, fault = point.partition(":")
            before = server.requests.count(name)
            server.faults = {name: [fault]}
            run = resume(workspace, run.id)
            server.wait_until(name, before + 1)
            if fault == "hang after":
                while not (server.files if name == "upload" else server.jobs):
                    time.sleep(0.005)
            kill(run)
            server.faults = {}
        done = run_to_end(workspace, HOSTED_KIND, HOSTED_ENTRY, {}, resume_id=run.id)
    assert done["model"] == "ft:small-1:ftjob-0"
    assert len(server.jobs) == 1
    # Held once before it was stored and once after; the second one was found and not sent again.
    assert (server.requests.count("upload"), len(server.files)) == (2, 1)
    assert server.requests.count("start") == 2
    told = outcomes(workspace.database, run.id, "training")
    assert told == {"unknown": 3, "answered": 1}
    assert load_run(workspace.runs, run.id).state == "done"


def test_killed_at_a_moment_of_chance_it_goes_on(hosted: Hosted) -> None:
    with HostedServer(looks=20) as server:
        workspace = hosted(server.url)
        run = begun(workspace)
        server.wait_until("upload", 1)
        kill(run)
        run_to_end(workspace, HOSTED_KIND, HOSTED_ENTRY, {}, resume_id=run.id)
    assert (len(server.jobs), len(server.files)) == (1, 1)
