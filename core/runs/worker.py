"""The process of a run: ``python -m core.runs.worker WORKSPACE RUN_ID``."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.errors import Interrupted, RunError, SimuleeError
from core.runs.job import Job
from core.runs.journal import STOP, EventLog, Run, State, holding, list_runs, load_run
from core.workspace import Workspace

NICENESS = 10
ROOM = 16_384
"""Bytes of disk that a run keeps for its last words, so that it can still say that the disk is full."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Said by a disk, a quota or a limit that lets a file grow no further."""
NO_ROOM = 28
"""Exit code of a run that could not begin for want of room."""
WAITED_FOR = frozenset({"serve", "join"})
"""Kinds of runs that a person waits for while they work: they do not give way."""

Work = Callable[[Job], dict[str, Any]]


def work_of(entry: str) -> Work:
    """The function that ``module:function`` names; only inside ``core``."""
    module, _, function = entry.partition(":")
    if not module.startswith("core."):
        raise ValueError(f"not work of this program: {entry}")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def main(root: Path, run_id: str) -> int:
    """Do one run's work to its end. Returns the exit code, ``NO_ROOM`` where the disk had none to begin."""
    os.umask(0o077)
    workspace = Workspace.open(root)
    run = load_run(workspace.runs, run_id)
    if run.kind not in WAITED_FOR:
        _give_way()
    try:
        with holding(workspace.runs / f".{run.kind}.lock") as alone, holding(run.folder / "lock") as mine:
            return _attempt(workspace, run, alone) if mine else 0
    except OSError as error:
        if error.errno not in FULL:
            raise
        return NO_ROOM


def _attempt(workspace: Workspace, run: Run, alone: bool) -> int:
    """One attempt, from the room for its last words to them. Raises OSError; how it ended before stands until then."""
    room = run.folder / ".room"
    try:
        room.write_bytes(bytes(ROOM))
        log = EventLog(run.folder)
    except OSError:
        with contextlib.suppress(OSError):
            room.unlink(missing_ok=True)
        raise
    (run.folder / "state.json").unlink(missing_ok=True)
    # Asked of an earlier attempt.
    (run.folder / STOP).unlink(missing_ok=True)
    state: State = "failed"
    result: dict[str, Any]
    if not alone:
        result = {
            "error": f"{_other(workspace, run)} is already running on this workspace",
            "hint": "wait for it, or `simulee runs cancel` it",
            "exit_code": 1,
        }
    else:
        job = Job(workspace, run.folder, run.params, log, run.folder / STOP)
        job.listen()
        try:
            log.append("started", {"kind": run.kind, "pid": os.getpid()})
            result, state = work_of(run.entry)(job), "done"
        except Interrupted as error:
            result, state = _told(error), "cancelled"
        except SimuleeError as error:
            result = _told(error)
        except Exception as error:  # The log is the only place where a detached process can say what broke.
            result = _broken(error, run)
        with contextlib.suppress(OSError):  # Without room on the disk, what follows is what matters.
            job.last_progress()
    room.unlink(missing_ok=True)
    (run.folder / STOP).unlink(missing_ok=True)
    write_atomically(run.folder / "state.json", json.dumps({"state": state, "result": result}))
    log.append("ended", {"state": state, "result": result})
    return 0 if state == "done" else 1


def no_room(run: Run) -> RunError:
    """The disk has no room for a run to go on."""
    return RunError("the disk is full", f"free some space, then simulee runs resume {run.id} goes on where it stopped")


def _give_way() -> None:
    """Let what a person waits for go first: a chat beside a training run answers ten times faster for it."""
    os.nice(NICENESS)
    # A session of its own is scheduled as one group on Linux, and a group has a niceness of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), "ascii")


def _other(workspace: Workspace, run: Run) -> str:
    """The run of the same kind that is at work."""
    others = (other for other in list_runs(workspace.runs) if other.kind == run.kind and other.state == "running")
    return next((other.id for other in others if other.id != run.id), f"another {run.kind} run")


def _broken(error: Exception, run: Run) -> dict[str, Any]:
    if isinstance(error, OSError) and error.errno in FULL:
        return _told(no_room(run))
    traceback.print_exc()
    return {
        "error": f"{type(error).__name__}: {error}",
        "hint": f"this is a defect; the log is {run.folder / 'output.log'}",
        "exit_code": 1,
    }


def _told(error: SimuleeError) -> dict[str, Any]:
    return {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
