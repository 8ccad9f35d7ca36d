"""A recall run that is killed again and again pays no finished call twice and ends as an undisturbed one does."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable

import pytest

from core.journey import RECALL
from core.runs.control import follow, resume, run_to_end, start
from core.runs.journal import holder, load_run
from core.store.fingerprints import fingerprint
from core.workspace import Workspace
from tests.fault_server import FaultServer
from tests.recall.answering import answer

KILLS = 50
CONCURRENCY = 4
LATENCY = 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_cost_at_most_what_was_under_way(asking: Callable[..., Workspace], tmp_path: object) -> None:
    with FaultServer(answer, logprobs_supported=False) as server:
        workspace = asking(server.url, concurrency=CONCURRENCY)
        run_to_end(workspace, *RECALL, {})
        items = len(server.prompts)
        undisturbed = fingerprint(workspace.database, "recall")
        # As before recall: the same corpus, nothing recalled, no answer known.
        with workspace.database.write():
            for table in ("memory", "recalled", "call_cache"):
                workspace.database.execute(f"DELETE FROM {table}")
        server.received.clear()
        server.prompts.clear()
        server.latency = LATENCY
        chance = random.Random(4)
        kills = 0
        run = start(workspace, *RECALL, {})
        while kills < KILLS and load_run(workspace.runs, run.id).state != "done":
            # From the start of the work on: a kill before it would find nothing to interrupt.
            wanted = len(server.received) + chance.randrange(1, max(2, items // KILLS))
            _until(lambda at=wanted: len(server.received) >= at or _pid(workspace, run.id) is None)
            pid = _pid(workspace, run.id)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            _until(lambda: _pid(workspace, run.id) is None)
            if load_run(workspace.runs, run.id).state != "done":
                resume(workspace, run.id)
        for _ in follow(workspace, run.id):
            pass
        assert load_run(workspace.runs, run.id).state == "done"
        assert kills == KILLS
        assert len(server.received) <= items + kills * CONCURRENCY * 2  # Writer and judge have slots of their own.
        assert len(server.prompts) == items
        assert fingerprint(workspace.database, "recall") == undisturbed


def _pid(workspace: Workspace, run_id: str) -> int | None:
    return holder(load_run(workspace.runs, run_id).folder / "lock")


def _until(true: Callable[[], bool]) -> None:
    """Look every few milliseconds until it is true."""
    pause = threading.Event()
    while not true():
        pause.wait(0.005)
