"""Editing words: in place, where enter accepts; or in the person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual import events
from textual.app import App
from textual.message import Message

from core.errors import SimuleeError, UsageError
from tui.widgets.text import Page


class EditInPlace(Page):
    """A page over a card: enter accepts the words, escape leaves them as they were."""

    class Accepted(Message):
        """The words as they are now."""

        def __init__(self, page: EditInPlace, text: str) -> None:
            super().__init__()
            self.page = page
            self.text = text

    class Left(Message):
        """Nothing is to change."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Accepted(self, self.text))
        elif event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
        else:
            await super()._on_key(event)


def edit_outside(app: App[int], text: str, suffix: str = ".txt") -> str:
    """The words after the person's editor; the terminal is the editor's meanwhile.

    Raises UsageError when no editor can be started, SimuleeError when it failed: then nothing is changed.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    descriptor, name = tempfile.mkstemp(suffix=suffix, prefix="simulee-")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        with app.suspend():
            try:
                done = subprocess.run([*command, name], check=False)
            except OSError as error:
                raise UsageError(
                    f"cannot start {command[0]}: {error.strerror}", "set EDITOR to one that is installed"
                ) from None
        if done.returncode != 0:
            raise SimuleeError(f"{command[0]} ended with {done.returncode}: nothing was changed", "try again")
        return path.read_text("utf-8", "replace").rstrip("\n")
    finally:
        path.unlink(missing_ok=True)
