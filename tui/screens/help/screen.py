"""The help: for each screen its keys, the glyphs, how to leave, where things are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult

from tui.keys import keys_file
from tui.screens.help.parts import HelpPart, Row, help_parts
from tui.screens.stage import Stage
from tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from core.workspace import Workspace


class HelpScreen(Stage):
    """Lines to read, with the keys of the screen one came from at the top."""

    NAME = "help"
    CSS_PATH = "help.tcss"
    ALONE = frozenset({"next", "previous"})

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[HelpPart] = []
        self._heads: list[int] = []
        self._rows: list[Row] = []

    def body(self) -> ComposeResult:
        yield LineList(id="help")

    def without_workspace(self) -> None:
        self._draw()

    async def load(self, workspace: Workspace) -> None:
        self._draw()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        lines = self.query_one(LineList)
        lines.focus()
        self._draw()
        lines.go_to(0)

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        bench = self.bench
        before = bench._history[-1] if bench._history else ""
        root = bench.workspace.root if bench.workspace is not None else None
        self._parts = help_parts(bench.keymap, before, self.size.width - 4, root, keys_file())
        self._rows, self._heads = [], []
        for part in self._parts:
            self._heads.append(len(self._rows))
            self._rows += [[(part.name, "bold")], *part.rows, [""]]
        self.query_one(LineList).fill(len(self._rows), lambda place: self._rows[place])

    def action_next(self) -> None:
        """To the part after this one."""
        self._to(next((head for head in self._heads if head > self.query_one(LineList).cursor), self._heads[-1]))

    def action_previous(self) -> None:
        """To the part before this one."""
        before = [head for head in self._heads if head < self.query_one(LineList).cursor]
        self._to(before[-1] if before else 0)

    def _to(self, row: int) -> None:
        """The part's heading becomes the top line."""
        lines = self.query_one(LineList)
        lines.go_to(row)
        lines.scroll_to(y=row, animate=False, force=True)

    def place(self) -> dict[str, Any]:
        return {}


def screen() -> Stage:
    """What the workbench installs."""
    return HelpScreen()
