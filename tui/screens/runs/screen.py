"""Every run of the workspace, newest first; one of them opened shows what was asked, how it ended, and its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.estimates import about
from tui.results import moment, result_line, took
from tui.screens.stage import Stage
from tui.widgets.boxes import ShowBox
from tui.widgets.frame import GLYPHS
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture
    from core.workspace import Workspace

STATE_STYLES = {
    "running": "bold $accent", "queued": "$quiet", "done": "$success", "failed": "$error", "cancelled": "$warning",
    "lost": "$error",
}  # fmt: skip
LONGEST = 600
"""Characters of outside text that the facts of a run hold."""
OUTPUT_LINES = 60
"""Lines of what a process printed itself that are shown below its log."""


def asked_words(params: Mapping[str, Any]) -> str:
    """The parameters of a run; what was left open is left out."""
    words = []
    for name, value in params.items():
        if isinstance(value, dict):
            words.append(asked_words(value))
        elif isinstance(value, list) and all(isinstance(each, dict) for each in value):
            words += [asked_words(each) for each in value]
        elif value is not None:
            words.append(f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return " · ".join(filter(None, words)) or "nothing in particular"


def _output(workspace: Workspace, run_id: str) -> list[str]:
    """On the reader's thread."""
    from core.runs.journal import load_run
    from core.runs.snapshot import output_tail

    return output_tail(load_run(workspace.runs, run_id), OUTPUT_LINES)


class RunsScreen(Stage):
    """The list of runs, and one run in full."""

    NAME = "runs"
    CSS_PATH = "runs.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._chosen = ""
        """The run under the cursor, so that a run that starts does not move it."""
        self._opened = ""
        self._output: list[str] = []
        self._log: list[str] = []

    def body(self) -> ComposeResult:
        yield Words(id="heads")
        yield LineList(id="list", empty="no runs yet: importing, recalling, training and measuring are runs")
        yield Words(id="result")
        with Vertical(id="one"):
            yield Words(id="facts")
            yield LineList(id="log", empty="nothing was logged")

    def without_workspace(self) -> None:
        self.query_one("#heads", Words).put(f"There is no workspace here, so there are no runs. {self.ways_in}")

    async def load(self, workspace: Workspace) -> None:
        self._draw()
        if self._opened and self._picture(self._opened) is None:
            self._opened = ""
        if self._opened:
            await self._open(self._opened)
        else:
            self.query_one("#list", LineList).focus()

    def runs_changed(self) -> None:
        self._draw()
        if self._opened:
            self._draw_one()

    def place(self) -> dict[str, Any]:
        return {"run": self._chosen, "opened": self._opened}

    def come_back(self, place: dict[str, Any]) -> None:
        self._chosen, self._opened = str(place.get("run", "")), str(place.get("opened", ""))

    @property
    def part_open(self) -> bool:
        return bool(self._opened)

    def leave(self) -> bool:
        if not self._opened:
            return False
        self._opened = ""
        self.remove_class("-one")
        self.query_one("#list", LineList).focus()
        self.keys_changed()
        return True

    def shown_actions(self) -> Callable[[str], bool]:
        picture = self._now()
        state = picture.state if picture else ""
        sense = {
            "show": picture is not None and not self._opened,
            "cancel": state == "running",
            "resume": state in ("cancelled", "failed", "lost", "queued"),
            "copy": picture is not None,
        }
        return lambda name: sense.get(name, True)

    # The list

    def _draw(self) -> None:
        pictures = self.bench.pictures
        self.query_one("#heads", Words).put(
            f"   {'run':<12} {'state':<9} {'progress':>9}  {'started':<12} {'took':<9} what came of it"
        )
        places = {picture.id: place for place, picture in enumerate(pictures)}
        listed = self.query_one("#list", LineList)
        listed.fill(len(pictures), self._row, places.get(self._chosen, min(listed.cursor, max(0, len(pictures) - 1))))
        if pictures:
            self._chosen = pictures[listed.cursor].id
        self._draw_result()

    def _draw_result(self) -> None:
        """The run under the cursor: what the row has no room for."""
        picture = self._picture(self._chosen)
        parts: list[Part] = []
        if picture is not None:
            parts = [(f" {picture.id}  ", "bold"), result_line(picture)[:LONGEST]]
            if picture.result.get("hint"):
                parts.append((f"\n to do: {str(picture.result['hint'])[:LONGEST]}", "$quiet"))
        self.query_one("#result", Words).put(*parts)
        self.keys_changed()

    def _row(self, place: int) -> list[Part]:
        picture = self.bench.pictures[place]
        done = f"{picture.done:,}/{picture.total:,}" if picture.total else ""
        time = took(picture)
        if picture.state == "running":
            done = f"{picture.share:.0%}" if picture.total else ""
            time = f"{about(picture.seconds_left)} to go" if picture.seconds_left >= 1 else ""
        return [
            (f" {GLYPHS[picture.state]} ", STATE_STYLES[picture.state]),
            f"{picture.id:<12} ",
            (f"{picture.state:<9}", STATE_STYLES[picture.state]),
            f" {done:>9}  ",
            (f"{moment(picture.started or picture.created)[5:]:<12} {time:<9} ", "$quiet"),
            result_line(picture)[:200],
        ]

    def on_line_list_moved(self, message: LineList.Moved) -> None:
        """Remember the run, not the row."""
        if message.list.id == "list" and message.place < len(self.bench.pictures):
            self._chosen = self.bench.pictures[message.place].id
            self._draw_result()

    async def on_line_list_chosen(self, message: LineList.Chosen) -> None:
        """Open a run, or a line of its log in full."""
        if message.list.id == "list":
            await self.action_show()
        elif message.place < len(self._log):
            self.bench.push_screen(ShowBox("One line of the log", [[self._log[message.place]]]))

    def _picture(self, run_id: str) -> RunPicture | None:
        return next((picture for picture in self.bench.pictures if picture.id == run_id), None)

    def _now(self) -> RunPicture | None:
        """The run that keys are about."""
        return self._picture(self._opened or self._chosen)

    # One run

    async def _open(self, run_id: str) -> None:
        self._opened = run_id
        self._output = await self.bench.read(_output, run_id)
        self.add_class("-one")
        self._draw_one(at_end=True)
        self.query_one("#log", LineList).focus()
        self.keys_changed()

    def _draw_one(self, at_end: bool = False) -> None:
        picture = self._picture(self._opened)
        if picture is None:
            return
        parts: list[Part] = [
            (f"{GLYPHS[picture.state]} {picture.state}", STATE_STYLES[picture.state]),
            (f"  {picture.id}", "bold"),
            f"  {moment(picture.started or picture.created)}",
            f" → {moment(picture.ended)} ({took(picture)})" if picture.ended else "",
            (f"   {self.key('leave', 'app')}: all runs", "$quiet"),
        ]
        if picture.state == "running" and picture.total:
            parts.append(f"\n  at       {picture.done:,}/{picture.total:,} {picture.what}")
        if "error" in picture.result:
            parts += [("\n  error    ", "bold"), (str(picture.result["error"])[:LONGEST], "$error")]
            parts += [("\n  to do    ", "bold"), str(picture.result.get("hint", ""))[:LONGEST]]
        elif picture.state == "lost":
            goes_on = f"{self.key('resume')} goes on where it stopped"
            parts += [("\n  to do    ", "bold"), f"its process is gone without a word; {goes_on}"]
        elif picture.result:
            parts += [("\n  result   ", "bold"), result_line(picture)]
        parts += [("\n  asked    ", "bold"), asked_words(picture.params)[:LONGEST]]
        parts += [("\n  output   ", "bold"), picture.log_path]
        self.query_one("#facts", Words).put(*parts)
        log = self.query_one("#log", LineList)
        at_end = at_end or log.cursor >= log.count - 1
        self._log = list(picture.log)
        if self._output:
            self._log += ["", "what the process printed itself:", *self._output]
        log.fill(len(self._log), lambda place: [self._log[place]], len(self._log) - 1 if at_end else None)

    # What keys do

    async def action_show(self) -> None:
        """What was asked, how it ended, its log."""
        if not self._opened and self._now() is not None:
            await self._open(self._chosen)

    async def action_cancel(self) -> None:
        """Ask the run to stop at its next safe point."""
        picture = self._now()
        if picture is None or picture.state != "running":
            self.say("only a run that is at work can be stopped", "warning")
        elif await self.bench.cancel_run(picture.id) is not None:
            self.say(f"asked {picture.id} to stop; {self.key('resume')} goes on with it later", "good")

    async def action_resume(self) -> None:
        """Go on where the run stopped."""
        picture = self._now()
        if picture is None:
            return
        if picture.state in ("running", "done"):
            self.say(f"{picture.id} is {picture.state}: there is nothing to resume", "warning")
        elif await self.bench.resume_run(picture.id) is not None:
            self.say(f"{picture.id} goes on", "good")

    async def action_copy(self) -> None:
        """Put the run's id on the clipboard, over SSH too."""
        picture = self._now()
        if picture is not None:
            self.bench.copy_to_clipboard(picture.id)
            self.say(f"copied {picture.id}", "good")


def screen() -> Stage:
    """What the workbench installs."""
    return RunsScreen()
