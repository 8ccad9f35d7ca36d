"""The overview: what there is, what is stale, what runs, and the next step as one key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from core.errors import NoWorkspaceError, SettingsError
from tui.moments import local
from tui.screens.stage import Stage
from tui.widgets.frame import run_words
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.overview import Overview
    from core.workspace import Workspace

GLYPHS = {
    "done": ("✓", "$success"),
    "waiting": ("◐", "$warning"),
    "stale": ("↻", "$warning"),
    "none": ("·", "$quiet"),
}
WAYS_IN = ("sample", "new", "open")
WAYS_ON = {"sample": "try the sample, an invented person, offline", "open": "open another workspace"}
"""Beside the next step, while a workspace is empty."""
LOOK_SECONDS = 3.0
"""Between two looks at the store while a run adds to it."""
RECENT = 4
"""Ended runs that are listed."""


class OverviewScreen(Stage):
    """The pipeline as one picture."""

    NAME = "overview"
    CSS_PATH = "overview.tcss"
    ALONE = frozenset(WAYS_IN)

    def __init__(self) -> None:
        super().__init__()
        self._seen: Overview | None = None
        self._looked = 0.0

    def body(self) -> ComposeResult:
        yield Words(id="pipeline")
        yield Words(id="next")
        yield Words(id="recent")

    def without_workspace(self) -> None:
        keys = self.bench.keymap
        ways = {
            "sample": "try the sample, an invented person, offline",
            "new": "begin an empty workspace, then import into it",
            "open": "open a workspace that is there",
        }
        parts: list[Part] = [("There is no workspace here. Three ways in:\n\n", "bold")]
        trouble = self.bench.trouble
        if trouble is not None and not isinstance(trouble, NoWorkspaceError):
            parts = [("✗ This workspace cannot be opened.\n\n", "bold $error"), trouble.message, "\n  ", trouble.hint]
            if isinstance(trouble, SettingsError):
                opens = (self.key("settings", "app"), self.key("edit", "settings"))
                parts += ["\n  ", (" ".join(opens), "bold $accent"), " opens it in your editor"]
            parts += [("\n\nOr another one:\n\n", "bold")]
        for name, words in ways.items():
            parts += [(f"  {keys[f'overview.{name}'].shown_key}  ", "bold $accent"), words, "\n"]
        shell = ("\n     simulee go FOLDER --target NAME", "bold")
        self.query_one("#pipeline", Words).put(*parts, shell, " does the whole journey from the shell\n")
        self.keys_changed()

    def shown_actions(self) -> Callable[[str], bool] | None:
        if self.bench.workspace is None:
            return None
        ways = ("next_step", *WAYS_ON) if self._is_empty else ("next_step",)
        return lambda name: name in ways

    @property
    def _is_empty(self) -> bool:
        """Whether nothing was imported yet."""
        return self._seen is not None and self._seen.rows[0].state == "none"

    async def load(self, workspace: Workspace) -> None:
        from core.overview import overview

        self._looked = time.monotonic()
        self._seen = await self.bench.read(overview)
        self.keys_changed()
        self._draw()

    def runs_changed(self) -> None:
        self._draw()
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self.bench.refresh_stage()

    def _draw(self) -> None:
        seen = self._seen
        if seen is None:
            return
        parts: list[Part] = []
        width = max(20, self.size.width - 17)
        for row in seen.rows:
            glyph, style = GLYPHS[row.state]
            text = _fitted(row.text, width)
            parts += [
                (f"  {row.stage.capitalize():<11}", "bold"),
                text,
                " " * (width + 1 - len(text)),
                (glyph, style),
                "\n",
            ]
        self.query_one("#pipeline", Words).put(*parts)
        ways = [(self.key("next_step"), seen.next_words)]
        if self._is_empty:
            ways += [(self.key(name), words) for name, words in WAYS_ON.items()]
        room = max(len(key) for key, _ in ways) + 2
        told: list[Part] = [("  Next       ", "bold")]
        for place, (key, words) in enumerate(ways):
            told += ["\n" + " " * 13 if place else "", (f"{key:<{room}}", "bold $accent"), words]
        self.query_one("#next", Words).put(*told)
        lines: list[Part] = []
        for picture in self.bench.pictures[:RECENT]:
            lines += [(f"  {local(picture.created, '%d %b %H:%M')}  ", "$quiet"), run_words(picture), "\n"]
        self.query_one("#recent", Words).put(*lines)

    async def action_next_step(self) -> None:
        """Go where the next step is done."""
        if self._seen is not None:
            self.bench.go_to(self._seen.next_screen)

    async def action_refresh(self) -> None:
        """Look again."""
        self.bench.refresh_stage()

    async def action_sample(self) -> None:
        """Begin the journey on the sample, in a workspace of its own; from an open one only after a question."""
        if self.bench.workspace is None:
            await self.bench.try_sample()
            return

        async def chosen(place: int | None) -> None:
            if place == 1:
                await self.bench.try_sample()

        choices = [f"stay with {self.bench.target}", "leave it for the sample: its runs begin at once"]
        from tui.widgets.boxes import ChoiceBox

        await self.bench.ask(ChoiceBox("Try the sample?", choices), chosen)

    async def action_new(self) -> None:
        """Begin an empty workspace."""
        from tui.beginning import make_one

        await make_one(self.bench)

    async def action_open(self) -> None:
        """Open another workspace."""
        from tui.beginning import open_one

        await open_one(self.bench)

    def place(self) -> dict[str, Any]:
        return {}


def _fitted(text: str, width: int) -> str:
    """What fits of a row; never half a number, which would be another number."""
    return text if len(text) <= width else text[: width - 1].rstrip("0123456789,.") + "…"


def screen() -> Stage:
    """What the workbench installs."""
    return OverviewScreen()
