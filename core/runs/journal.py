"""What a run leaves on disk: its request, its events, and its final state.

``runs/<id>/`` holds ``run.json`` (what was asked), ``events.jsonl`` (what happened: seq, at, kind, payload),
``state.json`` (how it ended), ``output.log`` (its stdio), ``lock`` (held while it lives, whatever its pid) and, once
it was asked to, ``stop``.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from core.atomic import write_atomically
from core.errors import UsageError
from core.runs import process

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")
EVENTS = "events.jsonl"
STOP = "stop"
"""The file in a run's folder that asks it to stop at its next safe point."""
BROUGHT = "brought"
"""In the request of a run that another machine did."""
MERGED = "merged"
"""The same of one that came by a merge: the numbers and names in what it was asked are that machine's."""
LOCK_PATIENCE = 1.0
"""Seconds: somebody who only asks whether a lock is held holds it for a moment."""
LOCK_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's log."""

    seq: int
    at: str
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands now."""

    id: str
    kind: str
    entry: str
    """``module:function`` of the work, inside ``core``."""
    params: dict[str, Any]
    created: str
    state: State
    result: dict[str, Any]
    """What the work returned, or ``{"error", "hint", "exit_code"}``."""
    folder: Path
    brought: bool = False
    """Whether another machine did it, or a part of it."""
    merged: bool = False
    """Whether it came by a merge: the numbers and names in what it was asked are another machine's."""


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_between(first: str, last: str) -> float:
    """Between two moments as ``now`` tells them; 0 where one of them is not a moment."""
    try:
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def create_run(runs: Path, kind: str, entry: str, params: dict[str, Any], taken: Iterable[str] = ()) -> Run:
    """Make the folder of a new run. Ids are ``<kind>-<n>``, n counting up, past those in ``taken`` too."""
    runs.mkdir(mode=0o700, exist_ok=True)
    names = (*(path.name for path in _folders(runs, kind)), *taken)
    number = 1 + max((number for name in names if (number := _number(name, kind)) is not None), default=0)
    while True:
        folder = runs / f"{kind}-{number}"
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            number += 1
    request = {"kind": kind, "entry": entry, "params": params, "created": now()}
    write_atomically(folder / "run.json", json.dumps(request))
    return load_run(runs, folder.name)


def load_run(runs: Path, run_id: str) -> Run:
    """Read a run; one whose end cannot be read is lost. Raises UsageError for an unknown id."""
    folder = runs / run_id
    try:
        if "/" in run_id or run_id.startswith("."):
            raise FileNotFoundError
        request = json.loads((folder / "run.json").read_text("utf-8"))
        kind, entry, params, created = (request[name] for name in ("kind", "entry", "params", "created"))
        if not (isinstance(params, dict) and all(isinstance(each, str) for each in (kind, entry, created))):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"no run {run_id!r} here", "see `simulee runs list`") from None
    state: State = "queued"
    result: dict[str, Any] = {}
    if is_alive(folder):
        state = "running"
    elif (folder / "state.json").exists():
        state, result = _end(folder / "state.json")
    elif (folder / EVENTS).exists():
        state = "lost"
    return Run(
        folder.name, kind, entry, params, created, state, result, folder, bool(request.get(BROUGHT)),
        bool(request.get(MERGED)),
    )  # fmt: skip


def _end(path: Path) -> tuple[State, dict[str, Any]]:
    """How a run ended, as it wrote it; lost where that cannot be read."""
    try:
        final = json.loads(path.read_text("utf-8"))
        state, result = final["state"], final["result"]
        if state in FINISHED and isinstance(result, dict):
            return state, result
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return "lost", {}


def list_runs(runs: Path) -> list[Run]:
    """Every run that can be read, oldest first."""
    found = []
    for name in run_ids(runs):
        with suppress(UsageError):
            found.append(load_run(runs, name))
    return sorted(found, key=lambda run: run_order(run.created, run.id))


def run_ids(runs: Path) -> set[str]:
    """The ids of every run that was asked for."""
    return {path.name for path in _folders(runs, "*") if (path / "run.json").exists()}


def run_order(created: str, run_id: str) -> tuple[str, str, int]:
    """By when they were asked for; within a second, by kind and number."""
    kind, _, number = run_id.rpartition("-")
    return created, kind, int(number)


def _folders(runs: Path, kind: str) -> list[Path]:
    """Folders named as runs are; what else a person keeps there, such as a copy of one, is none."""
    return [path for path in runs.glob(f"{kind}-*") if path.name.rpartition("-")[2].isdecimal()]


def _number(name: str, kind: str) -> int | None:
    """The number of what is named as a run of this kind, or None."""
    before, _, number = name.rpartition("-")
    return int(number) if before == kind and number.isdecimal() else None


def is_alive(folder: Path) -> bool:
    """Whether some process holds the run's lock."""
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock file for as long as this process lives; yields whether it was free."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+b") as file:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(LOCK_POLL)
        file.truncate()
        file.write(process.mark().encode())
        file.flush()
        yield True


def holder(path: Path) -> int | None:
    """The number of the process that holds a lock file, as it goes by where it runs, or None."""
    return process.number_of(holder_mark(path))


def holder_mark(path: Path) -> str:
    """What the process that holds a lock file says of itself; empty for none. See ``core.runs.process``."""
    try:
        return path.read_text("utf-8", "replace") if is_alive(path.parent) else ""
    except OSError:
        return ""


class EventLog:
    """Appends events; the sequence goes on where an earlier attempt stopped."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        last = 0
        kept = 0
        if self._path.exists():
            data = self._path.read_bytes()
            kept = data.rfind(b"\n") + 1
            last = data.count(b"\n")
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.ftruncate(descriptor, kept)
        os.lseek(descriptor, 0, os.SEEK_END)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._seq = last

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        self._seq += 1
        row = {"seq": self._seq, "at": now(), "kind": kind, "payload": payload}
        self._file.write(json.dumps(row, ensure_ascii=True) + "\n")

    def close(self) -> None:
        self._file.close()


def read_events(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """Whole events from a byte offset on, and the offset to go on from. A line that is no event is passed over."""
    lines, offset = _whole_lines(folder, offset)
    return _events(lines), offset


def skim_events(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The same without what no picture shows, so that a day of training opens at once.

    Left out are progress that was followed by more of it and, where there are very many, the first checkpoints and all
    but every so many metrics; the last ones and those of an evaluation are there.
    """
    lines, offset = _whole_lines(folder, offset)
    places: dict[bytes, list[int]] = {_PROGRESS: [], _METRICS: [], _CHECKPOINT: []}
    for place, line in enumerate(lines):
        start = line.find(_KIND, 0, _HEAD) + len(_KIND)
        if (same := places.get(line[start : start + 4])) is not None:
            same.append(place)
    metrics = places[_METRICS]
    left_out = {*places[_PROGRESS][:-1], *places[_CHECKPOINT][:-POINTS]}
    each = len(metrics) // POINTS
    if each > 1:
        early = metrics[:-POINTS]
        left_out.update(place for n, place in enumerate(early) if n % each and _EVALUATED not in lines[place])
    return _events(line for place, line in enumerate(lines) if place not in left_out), offset


POINTS = 2_000
"""Of a curve: more than a terminal has columns."""
_HEAD = 100
"""Bytes of a line within which its kind is said."""
_KIND, _EVALUATED = b'"kind": "', b'"eval_'
_PROGRESS, _METRICS, _CHECKPOINT = b"prog", b"metr", b"chec"
"""How these kinds begin."""


def _whole_lines(folder: Path, offset: int) -> tuple[list[bytes], int]:
    path = folder / EVENTS
    if not path.exists():
        return [], 0
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return whole.split(b"\n")[:-1], offset + len(whole)


def _events(lines: Iterable[bytes]) -> list[Event]:
    """What can be read of them: a power cut leaves zeros, another machine anything."""
    found = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            row = json.loads(line)
            event = Event(row["seq"], row["at"], row["kind"], row["payload"])
            if isinstance(event.at, str) and isinstance(event.kind, str) and isinstance(event.payload, dict):
                found.append(event)
    return found
