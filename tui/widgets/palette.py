"""The command palette: every action, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette

from tui.keys import EVERYWHERE
from tui.widgets.boxes import OverScreen

if TYPE_CHECKING:
    from tui.app import Workbench


def every_action(bench: Workbench) -> Iterator[SystemCommand]:
    """The actions that apply here; and those of the other screens, which are found by their words.

    One of another screen leads there, where its key does it: what it is about is seen before it is done.
    """
    stage = bench.stage_now()
    for action in bench.keymap.of(stage.NAME):
        target: Any = bench if action.where == EVERYWHERE else stage
        yield SystemCommand(
            f"{action.label} ({action.shown_key})", action.id, partial(_begin, bench, action.name, target)
        )
    for action in bench.keymap.actions:
        if action.where not in (stage.NAME, EVERYWHERE):
            label = f"{action.label} · {action.where.capitalize()} ({action.shown_key})"
            yield SystemCommand(label, action.id, partial(bench.lead_to, action), discover=False)


def _begin(bench: Workbench, name: str, target: Any) -> None:
    async def run() -> None:
        await bench.run_action(name, target)

    bench.do(run())


class Palette(CommandPalette, OverScreen[Any]):
    """As Textual's; a choice that was still on its way when another screen came to the front closes nothing there."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """As ``Box.dismiss``."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
