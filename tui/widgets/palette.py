"""The command palette, closed once."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette

from tui.widgets.boxes import OverScreen


class Palette(CommandPalette, OverScreen[Any]):
    """As Textual's; a choice that was still on its way when another screen came to the front closes nothing there."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """As ``Box.dismiss``."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
