"""Start, follow, cancel and resume runs from any process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Interrupted, RunError
from core.runs import process
from core.runs.journal import STOP, Event, Run, create_run, holder_mark, is_alive, list_runs, load_run, read_events
from core.runs.worker import NO_ROOM, no_room
from core.store.adapters import names_taken
from core.store.database import Database
from core.workspace import DATABASE_FILE, Workspace

_children: dict[Path, subprocess.Popen[bytes]] = {}
"""Workers that this process started, until they have ended and been waited for. They outlive it all the same."""

POLL_SECONDS = 0.05
START_SECONDS = 60.0


def start(workspace: Workspace, kind: str, entry: str, params: dict[str, Any]) -> Run:
    """Start detached work. Raises RunError when a run of the same kind is at work here."""
    _refuse_beside(workspace, kind)
    try:
        run = create_run(workspace.runs, kind, entry, params, _taken(workspace))
    except OSError as error:
        raise RunError(f"cannot begin a run: {error.strerror}", "free some space, then start it again") from None
    _spawn(workspace, run)
    return load_run(workspace.runs, run.id)


def _taken(workspace: Workspace) -> set[str]:
    """What something here still goes by whose run may be gone: a run of that name would take its place."""
    folders = {path.name for pattern in ("*", "*/*") for path in workspace.adapters.glob(pattern)}
    # A connection of its own: the workbench starts runs on a thread of their own.
    with closing(Database.open(workspace.root / DATABASE_FILE)) as database:
        return folders | names_taken(database)


def resume(workspace: Workspace, run_id: str) -> Run:
    """Go on with a run that was cancelled, failed or lost.

    Raises RunError when there is nothing to resume, when it came by a merge, or when another run of the same kind is
    at work here.
    """
    run = load_run(workspace.runs, run_id)
    if run.state == "running":
        return run
    if run.state == "done":
        raise RunError(f"{run_id} is done", "start a new one")
    if run.merged:
        raise RunError(
            f"{run_id} was begun on another machine, and what it names goes by other names here",
            "resume it there and merge again, or start a new one",
        )
    _refuse_beside(workspace, run.kind)
    _spawn(workspace, run)
    return load_run(workspace.runs, run_id)


def _refuse_beside(workspace: Workspace, kind: str) -> None:
    for other in list_runs(workspace.runs):
        if other.kind == kind and other.state == "running":
            raise RunError(
                f"{other.id} is already running on this workspace",
                f"`simulee runs attach {other.id}` follows it, `simulee runs cancel {other.id}` stops it",
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked to stop, and how."""

    run: Run
    signalled: bool
    """Whether its process got a signal. Else it finds a file beside its log, wherever it runs."""


def cancel(workspace: Workspace, run_id: str) -> Asked:
    """Ask a run to stop at its next safe point. Raises RunError for one that does not run or cannot be asked.

    It is asked by a file. A signal goes only to a process that is surely the run's: its lock may be held in a
    container or on another host, where its number is not what it is here.
    """
    run = load_run(workspace.runs, run_id)
    mark = holder_mark(run.folder / "lock")
    if not is_alive(run.folder):
        raise RunError(f"{run_id} is not running: it is {run.state}", "see `simulee runs list`")
    reason = ""
    try:
        (run.folder / STOP).touch(0o600)
    except OSError as error:
        reason = error.strerror or str(error)
    number = process.number_of(mark)
    signalled = False
    if number is not None and process.is_marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGTERM)
            signalled = True
    if reason and not signalled:
        raise RunError(f"{run_id} could not be asked to stop: {reason}", "stop it where it runs")
    return Asked(run, signalled)


def follow(workspace: Workspace, run_id: str, from_start: bool = True) -> Iterator[Event]:
    """Yield a run's events until it ends, those before now included unless ``from_start`` is off.

    A run whose process went without a word ends with an event ``lost``.
    """
    run = load_run(workspace.runs, run_id)
    offset = 0
    last = None
    if not from_start:
        events, offset = read_events(run.folder)
        last = events[-1].kind if events else None
    alive = True
    while alive:
        # Asked before reading: what a worker wrote while it lived is then read to the end.
        alive = is_alive(run.folder)
        events, offset = read_events(run.folder, offset)
        last = events[-1].kind if events else last
        yield from events
        if alive:
            time.sleep(POLL_SECONDS)
    worker = _children.pop(run.folder, None)
    if worker is not None:
        worker.wait()
    if last != "ended":
        yield Event(0, "", "lost", {})


def _spawn(workspace: Workspace, run: Run) -> None:
    """Start the worker in a session of its own and wait until it holds its lock."""
    before = _children.pop(run.folder, None)
    if before is not None:
        # It has let go of its lock, or nobody would resume its run: this only collects what is left of it.
        before.wait()
    try:
        log = os.open(run.folder / "output.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    except OSError as error:
        raise RunError(f"cannot start {run.id}: {error.strerror}", "see `simulee doctor`") from None
    _, seen = read_events(run.folder)
    try:
        worker = subprocess.Popen(
            [sys.executable, "-m", "core.runs.worker", str(workspace.root.resolve()), run.id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).parents[2],
            env=_environment(),
        )
    except OSError as error:
        raise RunError(f"cannot start {run.id}: {error.strerror}", "see `simulee doctor`") from None
    finally:
        os.close(log)
    _children[run.folder] = worker
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        events, _ = read_events(run.folder, seen)
        if events:
            return
        if worker.poll() is not None:
            if worker.returncode == NO_ROOM:
                raise no_room(run)
            raise RunError(f"{run.id} ended before it began", f"see {run.folder / 'output.log'}")
        time.sleep(POLL_SECONDS)
    raise RunError(f"{run.id} did not start within {START_SECONDS:.0f} s", f"see {run.folder / 'output.log'}")


def _environment() -> dict[str, str]:
    """What a worker's process starts with: this one's environment, and memory in large pages where glibc has them.

    Tensors come and go by the megabyte; in pages of 4 KiB the kernel clears each page by page, a tenth of a training
    step on a CPU. What the person has set themselves stays.
    """
    return {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", **os.environ}


def run_to_end(
    workspace: Workspace,
    kind: str,
    entry: str,
    params: dict[str, Any],
    watch: Callable[[Event], None] | None = None,
    resume_id: str | None = None,
) -> dict[str, Any]:
    """Start (or resume) a run, follow it, and return its result. Raises what stopped it as a SimuleeError.

    Ctrl+C asks the run to stop at its next safe point and waits for that.
    """
    run = resume(workspace, resume_id) if resume_id else start(workspace, kind, entry, params)
    try:
        # All of a new run: it may have done much before anybody follows it.
        for event in follow(workspace, run.id, from_start=resume_id is None):
            if watch is not None:
                watch(event)
    except KeyboardInterrupt:
        with contextlib.suppress(RunError):
            cancel(workspace, run.id)
        for _ in follow(workspace, run.id, from_start=False):
            pass
    return result_of(workspace, run.id)


def result_of(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """The result of a run that ended. Raises what stopped it: Interrupted when it was cancelled, else RunError."""
    run = load_run(workspace.runs, run_id)
    if run.state == "done":
        return {"run": run.id, **run.result}
    if run.state == "cancelled":
        raise Interrupted(f"{run_id}: {run.result.get('error', 'cancelled')}", f"simulee runs resume {run_id}")
    if run.state == "failed":
        error = RunError(run.result.get("error", "failed"), run.result.get("hint", f"see {run.folder / 'output.log'}"))
        error.exit_code = int(run.result.get("exit_code", 1))
        raise error
    raise RunError(f"{run_id} was lost: its process is gone", f"simulee runs resume {run_id} goes on where it stopped")
