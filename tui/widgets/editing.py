"""Editing words: in place, where enter accepts; or in the person's own editor."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.app import App, SuspendNotSupported
from textual.message import Message

from core.errors import UsageError
from tui.editor import edit_file
from tui.widgets.inputs import Page


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


def edit_outside(app: App[int], path: Path) -> None:
    """A file in the person's editor; the terminal is the editor's meanwhile.

    Raises UsageError when no editor can be started, SimuleeError when it failed.
    """
    if app.is_headless:
        edit_file(path)
        return
    failed: Exception | None = None
    try:
        with app.suspend():
            try:
                edit_file(path)
            except Exception as error:  # Raised in here, it would leave the terminal suspended.
                failed = error
    except SuspendNotSupported:
        raise UsageError("an editor needs a terminal, and this is a browser", "edit here, or in a terminal") from None
    if failed is not None:
        raise failed
