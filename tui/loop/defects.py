"""What goes wrong is shown with its log, and the app lives; where it cannot, the exit code says so."""

from __future__ import annotations

import asyncio
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.worker import Worker, WorkerFailed, WorkerState

from core.errors import SimuleeError
from tui.safe_text import safe_line

if TYPE_CHECKING:
    from core.workspace import Workspace

LOG_FILE = "workbench.log"


class OutlivesErrors(App[int]):
    """An app in which an error in a worker or in a key's work is a panel, not the end."""

    workspace: Workspace | None = None

    def complain(self, error: BaseException) -> None:
        """Show what happened, what to do, and where the log is."""
        from tui.widgets.boxes import ErrorBox

        if self._is_of_removed_screen(error):
            return
        if isinstance(error, SimuleeError):
            self.push_screen(ErrorBox(error.message, error.hint))
            return
        log = self.log_error(error)
        self.push_screen(ErrorBox(f"{type(error).__name__}: {error}", "the rest goes on; this is a defect", log))

    def _is_of_removed_screen(self, error: BaseException) -> bool:
        """Whether a screen's work met it after that screen was removed: what it draws on is gone, and nobody sees it.

        Screens are removed when another workspace is opened, while their work may still wait for what it reads.
        """
        from tui.screens.stage import Stage

        owners = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        return any(isinstance(owner, Stage) and not self.is_screen_installed(owner) for owner in owners)

    def log_error(self, error: BaseException) -> str:
        """Append a traceback to the workbench's log; returns the log's path, empty where it cannot be written."""
        folder = self.workspace.root if self.workspace is not None else Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
        path = folder / LOG_FILE
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
                file.write("".join(traceback.format_exception(error)) + "\n")
        except OSError:  # A full disk, or somebody else's file of that name: what broke is told all the same.
            return ""
        return str(path)

    def run_worker(self, work: Any, *arguments: Any, **options: Any) -> Worker[Any]:
        """As Textual's, but an error in a worker is shown and never ends the app."""
        options["exit_on_error"] = False
        return super().run_worker(work, *arguments, **options)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state == WorkerState.ERROR and event.worker.error is not None:
            self.complain(event.worker.error)

    async def run_action(self, action: Any, *arguments: Any, **rest: Any) -> bool:
        """As Textual's, but an error in an action is shown and never ends the app."""
        try:
            done = await super().run_action(action, *arguments, **rest)
            for _ in range(3):  # What the action has begun gets to open its box before the next key is taken up.
                await asyncio.sleep(0)
            return done
        except Exception as error:  # The one place where every key's work passes.
            self.complain(error)
            return True

    def _handle_exception(self, error: Exception) -> None:
        if isinstance(error, WorkerFailed):  # Of a worker that was not begun through `do`.
            self.complain(error.error)
            return
        log = self.log_error(error)
        super()._handle_exception(error)
        if not self.is_headless:
            where = f"the log is {log}" if log else "no log could be written"
            told = f"simulee: the screen broke: {type(error).__name__}; {where}"
            self._exit_renderables[:] = [safe_line(told)]
