"""A run as one frozen picture: the fold of its events, read from where the last look stopped."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.runs.journal import EVENTS, Event, Run, State, is_alive, load_run, run_ids, run_order, skim_events

LOG_LINES = 500
"""Lines of a run's log that a picture keeps."""
OUTPUT = "output.log"
OUTPUT_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class RunPicture:
    """What a face draws of a run. Tuples only, so that a view never sees half a state."""

    id: str
    kind: str
    state: State
    created: str
    params: dict[str, Any]
    done: int = 0
    total: int = 0
    rate: float = 0.0
    """Items per second."""
    what: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    metrics: tuple[dict[str, float], ...] = ()
    """Each with ``step`` and what was measured there: loss, eval_loss, tokens_per_second, memory_mb."""
    samples: tuple[dict[str, Any], ...] = ()
    """By step: ``step`` and ``samples``, each with ``question``, ``twin`` and ``real``."""
    checkpoint: int = 0
    stages: tuple[dict[str, Any], ...] = ()
    ready: dict[str, Any] = field(default_factory=dict)
    """What a serving run says once it answers: url, token_file."""
    result: dict[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    started: str = ""
    """When its first attempt began."""
    ended: str = ""
    """Empty while it runs, and for a run that was lost."""
    log_path: str = ""
    """Where its own output went."""

    @property
    def share(self) -> float:
        """Done of total, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def seconds_left(self) -> float:
        """At the present rate, or 0 when that is not known."""
        return (self.total - self.done) / self.rate if self.rate > 0 else 0.0


def picture_of(run: Run) -> RunPicture:
    """A run as it stands now, read once."""
    return RunReader(run).look()


def output_tail(run: Run, lines: int) -> list[str]:
    """The last lines that a run's process printed: warnings, and the traceback of a defect."""
    try:
        with (run.folder / OUTPUT).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - OUTPUT_BYTES))
            data = file.read()
    except OSError:
        return []
    return data.decode("utf-8", "replace").splitlines()[-lines:]


class RunReader:
    """Follows one run's events; each ``look`` reads only what is new."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._begin(0)

    def _begin(self, file: int) -> None:
        """With nothing read of this log."""
        self._file = file
        self._offset = 0
        self._values: dict[str, Any] = {}
        self._metrics: dict[int, dict[str, float]] = {}
        self._samples: dict[int, dict[str, Any]] = {}
        self._stages: list[dict[str, Any]] = []
        self._log: deque[Event] = deque(maxlen=LOG_LINES)
        self._picture: RunPicture | None = None

    def look(self) -> RunPicture:
        """The run now. The same object comes back while nothing has changed."""
        file, size = self._found()
        if file != self._file:
            self._begin(file)  # Its first look; or a merge has put the whole log in the place of its beginning.
        if self._picture is not None and self._picture.state != "running" and size == self._offset:
            return self._picture  # What does not run changes only by a word in its log: the first one of a resume.
        alive = is_alive(self._run.folder)
        events, self._offset = skim_events(self._run.folder, self._offset)
        if self._picture is not None and not events and alive == (self._picture.state == "running"):
            return self._picture
        for event in events:
            with suppress(KeyError, TypeError, ValueError, OverflowError):  # What another machine told may be anything.
                self._take(event)
        run = load_run(self._run.folder.parent, self._run.id)
        self._picture = RunPicture(
            id=run.id, kind=run.kind, state=run.state, created=run.created, params=run.params,
            metrics=tuple(self._metrics[step] for step in sorted(self._metrics)),
            samples=tuple(self._samples[step] for step in sorted(self._samples)),
            stages=tuple(self._stages), result=run.result, log=tuple(map(_line, self._log)),
            log_path=str(run.folder / OUTPUT), **self._values,
        )  # fmt: skip
        return self._picture

    def _found(self) -> tuple[int, int]:
        """Which file the log is, and its size."""
        try:
            found = (self._run.folder / EVENTS).stat()
            return found.st_ino, found.st_size
        except OSError:
            return 0, 0

    def _take(self, event: Event) -> None:
        payload = event.payload
        match event.kind:
            case "progress":
                self._values |= {
                    "done": int(payload["done"]), "total": int(payload["total"]), "rate": float(payload["rate"]),
                    "what": str(payload["what"]),
                }  # fmt: skip
                return
            case "metrics":
                step = int(payload["step"])
                figures = {name: value for name, value in payload.items() if isinstance(value, int | float)}
                self._metrics[step] = self._metrics.get(step, {}) | figures | {"step": step}
            case "samples":
                step, told = int(payload["step"]), [each for each in payload["samples"] if isinstance(each, dict)]
                self._samples[step] = {"step": step, "samples": told}
            case "stage_done":
                self._stages.append(payload)
            case "plan":
                known = {"steps": int(payload.get("steps") or 0), "damaged": list(payload.get("damaged") or ())}
                self._values["plan"] = payload | {name: known[name] for name in known if name in payload}
            case "checkpoint":
                self._values["checkpoint"] = int(payload["step"])
            case "ready":
                self._values["ready"] = payload
            case "ended":
                self._values["ended"] = event.at
            case "started":
                self._values.setdefault("started", event.at)
                self._values["ended"] = ""
                self._values["ready"] = {}
        self._log.append(event)


class RunsReader:
    """Every run of a workspace, newest first; only what changed is read again."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._readers: dict[str, RunReader] = {}

    def look(self) -> tuple[RunPicture, ...]:
        """The runs now, but for those that cannot be read."""
        names = run_ids(self._runs)
        for name in self._readers.keys() - names:
            del self._readers[name]
        pictures = []
        for name in names:
            with suppress(UsageError):
                if name not in self._readers:
                    self._readers[name] = RunReader(load_run(self._runs, name))
                pictures.append(self._readers[name].look())
        return tuple(sorted(pictures, key=lambda picture: run_order(picture.created, picture.id), reverse=True))


def _line(event: Event) -> str:
    return f"{event.at[11:19]} {event.kind} {_told(event.payload)}".rstrip()


def _told(payload: dict[str, Any]) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in payload.items())


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 160 else text[:159] + "…"
