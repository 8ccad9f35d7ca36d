"""Import: what a file or folder holds, how it is read and used, who in it is the target; then the run."""

from __future__ import annotations

import asyncio
import importlib
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult

from core.errors import Interrupted, SimuleeError
from tui.screens.importing.asking import DAY_WORDS, Asked, look_at_line
from tui.screens.importing.parts import IssuesBox, SourceField
from tui.screens.importing.settling import Settling
from tui.screens.importing.told import IMPORT, at_work, embedding_waits, is_stopped, newest, run_lines
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox, ShowBox
from tui.widgets.inputs import Field
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.corpus.records import Issue
    from core.workspace import Workspace

LOOK_SECONDS = 0.3
"""Between two words about how far a look is."""


class ImportScreen(Settling):
    """Look, settle, import."""

    NAME = "import"
    CSS_PATH = "importing.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._seen = [0, 0]
        """Sources and records of the look that is under way."""
        self._stop = threading.Event()
        self._looking = False
        self._starting = False
        self._show_result = False
        self._loaded = False
        self._awaited = ""
        """The run that was started here, until its end is known."""
        self._remembered = ""
        self._failed: SimuleeError | None = None
        """Why the last look came to nothing."""
        self._cursor = 0

    def body(self) -> ComposeResult:
        how = f"{self.key('address')} to type, tab completes, enter looks into it"
        yield SourceField(placeholder=f"a file or a folder: {how}", id="source")
        yield Words(id="settings")
        yield LineList(id="report", empty="")
        yield Words(id="run")

    # Coming and going

    async def load(self, workspace: Workspace) -> None:
        from core.corpus.recent import sources_of

        # What it draws with is imported off the event loop.
        await asyncio.to_thread(importlib.import_module, "tui.screens.importing.rows")
        self._known = {row.location: row for row in await self.bench.read(sources_of)}
        self._names = workspace.settings.target_names
        self._loaded = True
        picture = newest(self.bench.pictures, IMPORT)
        if self._show_result and picture is not None and picture.state == "done":
            self.say(f"{picture.id} is done", "good")
        if self._remembered and self._sight is None:
            self._remembered = ""
            self.bench.do(self._look, exclusive="import look")
        if self.focused is None and self.bench.screen is self:
            self.query_one(LineList).focus()
        self._draw()

    def without_workspace(self) -> None:
        self.query_one("#run", Words).put(f"There is no workspace here: {self.ways_in}")

    def place(self) -> dict[str, Any]:
        looking = self._sight is not None or self._looking or bool(self._remembered)
        return self._asked.place() | {"looking": looking, "cursor": self.query_one(LineList).cursor}

    def come_back(self, place: dict[str, Any]) -> None:
        self._asked = Asked.at(place)
        self.query_one(SourceField).put(self._asked.source)
        self._remembered = self._asked.source if place.get("looking") is True else ""
        cursor = place.get("cursor")
        self._cursor = cursor if isinstance(cursor, int) and cursor >= 0 and self._remembered else 0

    def on_unmount(self) -> None:
        self._stop.set()

    def leave(self) -> bool:
        report = self.query_one(LineList)
        if self._looking:
            self._stop.set()
            return True
        if isinstance(self.focused, Field):
            report.focus()
            return True
        if self._sight is not None or self._show_result or self._failed is not None:
            self._sight, self._show_result, self._failed = None, False, None
            self._draw()
            return True
        return False

    def shown_actions(self) -> Any:
        ready = self._sight is not None
        picture = newest(self.bench.pictures, IMPORT)
        wanted = {
            "address": True, "start": ready or is_stopped(picture),
            "target": ready and bool(self._sight and self._sight.speakers),
            "format": ready, "use": ready, "private": ready,
            "issues": bool(self._issues()), "embed": not ready and embedding_waits(self.bench.pictures),
            "cancel": at_work(self.bench.pictures) is not None,
        }  # fmt: skip
        return lambda name: wanted.get(name, False)

    # Looking

    async def _look(self) -> None:
        """Read what the field names, off the event loop, and show it."""
        self._stop.set()
        stop = self._stop = threading.Event()
        self._seen = [0, 0]
        self._looking, self._show_result = True, False
        asked = self._asked
        formats = dict(asked.formats)
        self._failed = None
        work = asyncio.ensure_future(
            asyncio.to_thread(look_at_line, asked.source, formats, asked.options(), stop, self._seen)
        )
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=LOOK_SECONDS)
                if not work.done():
                    sources, records = self._seen
                    self.say(f"looking: {sources:,} sources, {records:,} records; {self.key('leave', 'app')} stops")
            sight = await work
        except Interrupted:
            self.say("stopped looking")
            return
        except SimuleeError as error:
            self._sight, self._failed = None, error
            self._draw()
            self.say(error.message, "error")
            return
        finally:
            stop.set()
            if self._stop is stop:
                self._looking = False
        self._sight, self._failed = sight, None
        self.query_one(LineList).cursor = self._cursor
        self._cursor = 0
        self._draw()
        self.say("nothing is stored yet" if sight.ready else "nothing in it can be imported as it stands",
                 "" if sight.ready else "warning")  # fmt: skip

    def changed(self, look: bool = False) -> None:
        if look:
            self._sight = None  # It shows what was asked before, and is not to be imported for what is asked now.
        self._draw()
        if not look:
            return
        if self._asked.source and self.bench.workspace is not None:
            self.bench.do(self._look, exclusive="import look")

    def on_input_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self._take(event.value)

    def on_paste(self, event: events.Paste) -> None:
        """A path that is pasted or dropped while no input has the focus."""
        if not self.is_writing() and event.text.strip():
            event.stop()
            self._take(event.text.splitlines()[0])

    def _take(self, text: str) -> None:
        """Look into what was typed, pasted or chosen."""
        if self.bench.workspace is None:
            self.without_workspace()
            return
        if not text.strip():
            self.say("no file or folder is named", "warning")
            return
        if text != self._asked.source:
            self._asked.formats, self._asked.targets = {}, []
        source = self.query_one(SourceField)
        source.put(text)
        self._asked.source = source.value
        self.query_one(LineList).focus()
        self._cursor = 0
        self.changed(look=True)

    def on_source_field_left(self, event: SourceField.Left) -> None:
        self.query_one(LineList).focus()

    def on_source_field_completing(self, event: SourceField.Completing) -> None:
        self.bench.do(partial(self._complete, event.text), exclusive="import complete")

    async def _complete(self, text: str) -> None:
        from core.corpus.typed_paths import complete

        found = await asyncio.to_thread(complete, text)
        source = self.query_one(SourceField)
        if source.value != text:
            return
        if found.text != text:
            source.put(found.text)
        if found.names:
            self.say(", ".join(found.names[:40]))
        else:
            self.say("" if found.text != text else "nothing here begins so")

    # Drawing

    def runs_changed(self) -> None:
        awaited = next((each for each in self.bench.pictures if each.id == self._awaited), None)
        if awaited is not None and awaited.state not in ("running", "queued"):
            self._awaited = ""
            self.bench.refresh_stage()
        self._draw_run()
        if self._show_result and self._sight is None:
            self._draw()
        self.keys_changed()

    def _draw(self) -> None:
        if not self._loaded:
            return
        from core.corpus.recent import recent_paths
        from tui.screens.importing.rows import failed_rows, parts_of, recent_rows, result_rows, sight_rows

        picture = newest(self.bench.pictures, IMPORT)
        if self._sight is not None:
            self._rows = sight_rows(self._sight, self._standing())
        elif self._show_result and picture is not None:
            self._rows = result_rows(picture.result.get("sources", ()))
        else:
            self._rows = recent_rows(self.key("address"), recent_paths(self._known.values()))
            if self._failed is not None:
                self._rows = [*failed_rows(self._failed), *self._rows]
        report = self.query_one(LineList)
        report.fill(len(self._rows), lambda place: parts_of(self._rows[place], self._standing()))
        self._draw_settings()
        self._draw_run()
        self.keys_changed()

    def _draw_settings(self) -> None:
        asked = self._asked
        names = [*self._names[:1], *asked.targets]
        private = "let in" if asked.private else "left out"
        parts: list[Part] = [
            ("use ", "$quiet"), asked.use or "as found",
            (" · kind ", "$quiet"), asked.kind or "as found",
            (" · private parts ", "$quiet"), private,
        ]  # fmt: skip
        if asked.day_first is not None:
            parts += [(" · dates ", "$quiet"), DAY_WORDS[asked.day_first]]
        parts += [(" · target ", "$quiet"), " = ".join(names) or "not named"]
        if self._sight is not None and self._sight.speakers and not self._has_target():
            parts = [(f"! nobody in it is the target: {self.key('target')} says who   ", "$warning"), *parts]
        self.query_one("#settings", Words).put(*parts, layout=False)

    def _draw_run(self) -> None:
        lines = run_lines(self.bench.pictures, self._show_result, self.key("embed"), self.key("start"))
        place = self.query_one("#run", Words)
        place.put(*(part for number, each in enumerate(lines) for part in (["\n"] if number else []) + each))
        place.display = bool(lines)

    # What is known

    def _issues(self) -> list[Issue]:
        if self._sight is not None:
            return self._sight.skips
        if not self._loaded:
            return []
        from core.corpus.reports import issues_of

        picture = newest(self.bench.pictures, IMPORT)
        return issues_of(picture.result.get("sources", ())) if picture is not None else []

    # Actions

    async def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        from tui.screens.importing.rows import look_details, report_details

        row = self._rows[event.place]
        if row.kind == "recent":
            self._take(row.value)
        elif row.kind == "speaker":
            self._toggle_target(row.value)
        elif row.kind == "report":
            await self.bench.push_screen(ShowBox(Path(row.value["location"]).name, report_details(row.value)))
        elif row.kind == "issues":
            await self.bench.push_screen(IssuesBox("Left out", row.value))
        elif row.kind == "look" and row.value is not None:
            await self.bench.push_screen(ShowBox(row.value.name, look_details(row.value, self._standing())))
        elif row.kind == "format":
            await self.action_format()
        elif row.kind == "dates":
            await self.action_dates()

    def action_address(self) -> None:
        """Type a file or a folder."""
        source = self.query_one(SourceField)
        self.set_focus(source)
        source.cursor_position = len(source.value)

    def action_inspect(self) -> None:
        """Look again into what the field names."""
        if not self.query_one(SourceField).value.strip():
            self.action_address()
            return
        self._take(self.query_one(SourceField).value)

    async def action_issues(self) -> None:
        """What was left out, by reason."""
        issues = self._issues()
        if issues:
            await self.bench.push_screen(IssuesBox("Left out" if self._sight else "Issues of the last import", issues))
        else:
            self.say("nothing was left out")

    async def action_start(self) -> None:
        """Start the import; without one settled, go on with one that was stopped."""
        picture = newest(self.bench.pictures, IMPORT)
        if self._sight is None:
            if picture is not None and is_stopped(picture):
                await self.bench.resume_run(picture.id)
                self._show_result = True
                self._draw()
            else:
                self.say(f"name a file or a folder first: {self.key('address')}", "warning")
            return
        if self._starting or self._looking:
            return
        if self.query_one(SourceField).value != self._asked.source:
            self.say(f"the field names something else now: {self.key('inspect')} looks into it", "warning")
            return
        if not self._sight.ready:
            problem = next((look for look in self._sight.looks if look.problem), None)
            self.say(f"{problem.name}: {problem.problem}" if problem else "there is nothing to import", "warning")
            return
        if self._sight.ambiguities and self._asked.day_first is None:
            await self.action_dates()
            return
        if self._sight.speakers and not self._has_target():
            words = ("choose who is the target", "import it all the same")

            async def settle(place: int | None) -> None:
                if place == 0:
                    await self.action_target()
                elif place == 1:
                    self.bench.do(self._begin())

            await self.bench.ask(
                ChoiceBox("Nobody in it is the target, so nothing in it can be learned from", words), settle
            )
            return
        self.bench.do(self._begin())

    async def _begin(self) -> None:
        from core.corpus.importing import ENTRY, KIND, Request, import_params, name_target

        sight, asked, workspace = self._sight, self._asked, self.bench.workspace
        if sight is None or workspace is None or self._starting:
            return
        self._starting = True
        try:
            if asked.targets:
                try:
                    await self.bench.write(name_target, asked.targets[0], tuple(asked.targets[1:]))
                except SimuleeError as error:
                    self.bench.complain(error)
                    return
                workspace.forget_settings()
                self._names, asked.targets = workspace.settings.target_names, []
                self.bench.target = workspace.target
            requests = [Request(look.location, look.format, look.confidence) for look in sight.ready]
            self.say("starting")
            run = await self.bench.start_run(KIND, ENTRY, import_params(requests, asked.use, asked.options()))
            if run is not None:
                self._sight, self._show_result, self._awaited = None, True, run.id
                self.query_one(SourceField).put("")
                self._asked = Asked()
                self.say(f"{run.id} is running; it goes on when you leave", "good")
        finally:
            self._starting = False
            self._draw()

    def action_embed(self) -> None:
        """Cut what is new into passages and embed them."""
        if not self._starting:
            self.bench.do(self._embed())

    async def _embed(self) -> None:
        from core.retrieval.launch import EMBED_ENTRY, EMBED_KIND

        self._starting = True
        try:
            run = await self.bench.start_run(EMBED_KIND, EMBED_ENTRY, {})
        finally:
            self._starting = False
        if run is not None:
            self.say(f"{run.id} is running; it goes on when you leave", "good")
        self._draw()

    async def action_cancel(self) -> None:
        """Stop the run at its next safe point."""
        picture = at_work(self.bench.pictures)
        if picture is None:
            self.say("no import or embedding is running")
            return
        await self.bench.cancel_run(picture.id)
        self.say(f"asked {picture.id} to stop")


def screen() -> Stage:
    """What the workbench installs."""
    return ImportScreen()
