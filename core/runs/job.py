"""What the work of a run is handed: its workspace, its parameters, and a way to tell and to be told."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from core.errors import Interrupted
from core.workspace import Workspace

PROGRESS_INTERVAL = 0.25
"""Seconds between two progress events, so that a fast loop does not fill the log."""
LATER_INTERVAL = 1.0
"""The same from the second minute on: a day of them is read whole when it is opened."""
FIRST_SECONDS = 60.0


class Tells(Protocol):
    """Where a run's events go."""

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        """Write one down."""


class Job:
    """The inside of a run.

    Work calls ``progress`` often and ``stop_point`` wherever stopping loses nothing.
    """

    def __init__(
        self,
        workspace: Workspace,
        folder: Path,
        params: dict[str, Any],
        log: Tells,
        stop_file: Path | None = None,
    ) -> None:
        """``stop_file`` asks for a stop too, by being there: for processes that no signal can or should reach."""
        self.workspace = workspace
        self.folder = folder
        self.params = params
        self._log = log
        self._last_progress = 0.0
        self._started = time.monotonic()
        self._first_done: int | None = None
        self._withheld: dict[str, Any] | None = None
        """Progress that came too soon after the one before."""
        self._asked_to_stop = False
        self._stop_file = stop_file

    @property
    def stop_requested(self) -> bool:
        return self._asked_to_stop or (self._stop_file is not None and self._stop_file.exists())

    def listen(self) -> None:
        """Let SIGTERM and SIGINT ask for a stop at the next safe point; a lost terminal changes nothing."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True

    def stop_point(self) -> None:
        """Raises Interrupted when a stop was asked for."""
        if self.stop_requested:
            raise Interrupted("stopped as asked", "`simulee runs resume ID` goes on where it stopped")

    def event(self, kind: str, **payload: Any) -> None:
        self._log.append(kind, payload)

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Tell how far the work is; ``rate`` is in items per second since this attempt began."""
        if self._first_done is None:
            self._first_done = done
        moment = time.monotonic()
        elapsed = max(moment - self._started, 1e-9)
        told = {
            "done": done, "total": total, "rate": round((done - self._first_done) / elapsed, 3), "what": what[:120],
        }  # fmt: skip
        interval = PROGRESS_INTERVAL if elapsed < FIRST_SECONDS else LATER_INTERVAL
        if done < total and moment - self._last_progress < interval:
            self._withheld = told
            return
        self._last_progress = moment
        self._withheld = None
        self.event("progress", **told)

    def last_progress(self) -> None:
        """Tell how far the work came, once it is over."""
        if self._withheld is not None:
            told, self._withheld = self._withheld, None
            self.event("progress", **told)
