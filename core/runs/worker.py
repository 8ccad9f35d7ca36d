"""The process of a run: ``python -m core.runs.worker WORKSPACE RUN_ID``."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.errors import Interrupted, SimuleeError
from core.runs.job import Job
from core.runs.journal import EventLog, State, holding, load_run
from core.workspace import Workspace

NICENESS = 10

Work = Callable[[Job], dict[str, Any]]


def work_of(entry: str) -> Work:
    """The function that ``module:function`` names; only inside ``core``."""
    module, _, function = entry.partition(":")
    if not module.startswith("core."):
        raise ValueError(f"not work of this program: {entry}")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def main(root: Path, run_id: str) -> int:
    """Do one run's work to its end. Returns the exit code."""
    os.umask(0o077)
    _give_way()
    workspace = Workspace.open(root)
    run = load_run(workspace.runs, run_id)
    with holding(workspace.runs / f".{run.kind}.lock") as alone, holding(run.folder / "lock") as mine:
        if not mine:
            return 0
        log = EventLog(run.folder)
        (run.folder / "state.json").unlink(missing_ok=True)
        state: State = "failed"
        result: dict[str, Any]
        if not alone:
            result = {
                "error": f"another {run.kind} run is working on this workspace",
                "hint": "`simulee runs list` names it; wait for it or cancel it",
                "exit_code": 1,
            }
        else:
            job = Job(workspace, run.folder, run.params, log)
            job.listen()
            log.append("started", {"kind": run.kind, "pid": os.getpid()})
            try:
                result, state = work_of(run.entry)(job), "done"
            except Interrupted as error:
                result, state = _told(error), "cancelled"
            except SimuleeError as error:
                result = _told(error)
            except Exception as error:  # The log is the only place where a detached process can say what broke.
                traceback.print_exc()
                result = {
                    "error": f"{type(error).__name__}: {error}",
                    "hint": f"this is a defect; the log is {run.folder / 'output.log'}",
                    "exit_code": 1,
                }
        write_atomically(run.folder / "state.json", json.dumps({"state": state, "result": result}))
        log.append("ended", {"state": state, "result": result})
    return 0 if state == "done" else 1


def _give_way() -> None:
    """Let what a person waits for go first: a chat beside a training run answers ten times faster for it."""
    os.nice(NICENESS)
    # A session of its own is scheduled as one group on Linux, and a group has a niceness of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), "ascii")


def _told(error: SimuleeError) -> dict[str, Any]:
    return {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
