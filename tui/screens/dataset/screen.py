"""Dataset: freeze what is accepted, see what it is made of, read its samples, verify and export it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from core.dataset.launch import BUILD_ENTRY, BUILD_KIND, VERIFY_ENTRY, VERIFY_KIND
from core.errors import SimuleeError
from tui.moments import local
from tui.screens.dataset.parts import Held, HoldBox, SampleView
from tui.screens.dataset.words import figure_box, figure_lines, run_line, sample_head, sample_row
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox, ShowBox
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.dataset.composition import DatasetSight
    from core.dataset.masks import Segment
    from core.runs.snapshot import RunPicture
    from core.store.datasets import ExampleLine
    from core.workspace import Workspace

FILTERS = ("all", "train", "validation", "failed recall")
FILTER_WORDS = ("every sample", "train", "validation", "where some recall fails: none or wrong memories")
AHEAD = 8
"""Samples whose exact text is made at once: the wait is the same for one."""
SETTLED = 0.2
"""Seconds on one sample before its exact text is made: who steps on quickly does not wait for what is passed by."""
NONE_YET: tuple[Part, ...] = (
    "\n  There is no dataset yet.\n\n",
    "  It freezes the exchanges of the target, each with its accepted memories,\n",
    "  sets the latest conversations aside for measuring, and refuses leaks.\n\n",
)  # fmt: skip


class DatasetScreen(Stage):
    """Figures above, samples below; one sample fills the screen."""

    NAME = "dataset"
    CSS_PATH = "dataset.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._sight: DatasetSight | None = None
        self._reference: str | None = None
        """The dataset that was chosen; None for the newest."""
        self._filter = "all"
        self._lines: list[ExampleLine] = []
        self._open = False
        self._exact = False
        self._segments: dict[tuple[str, int], list[Segment]] = {}
        """Exact texts by dataset and place."""
        self._awaited = ""
        """The build or check that was started here, until its end is told."""
        self._cursor: int | None = None
        """Where the list begins; None: where it is."""
        self._starting = False

    def body(self) -> ComposeResult:
        yield Words(id="figures")
        yield LineList(id="samples", empty="no sample of this kind")
        yield SampleView(id="sample")
        yield Words(id="run")

    # Coming and going

    async def load(self, workspace: Workspace) -> None:
        from core.dataset.composition import dataset_sight

        ended = self._ended()
        if ended is not None and ended.kind == BUILD_KIND and ended.state == "done":
            self._reference, self._cursor = None, 0
        try:
            self._sight = await self.bench.read(dataset_sight, self._reference)
        except SimuleeError:
            self._reference = None
            self._sight = await self.bench.read(dataset_sight, None)
        self._fill(self._cursor)
        self._cursor = None
        await self._show_sample()
        if ended is not None:
            self._tell(ended)

    def without_workspace(self) -> None:
        self.query_one("#figures", Words).put(f"There is no workspace here: {self.ways_in}")
        self.query_one(LineList).display = False

    def place(self) -> dict[str, Any]:
        return {
            "dataset": self._reference, "filter": self._filter, "open": self._open, "exact": self._exact,
            "cursor": self.query_one(LineList).cursor,
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        reference, cursor = place.get("dataset"), place.get("cursor")
        self._reference = reference if isinstance(reference, str) else None
        self._filter = place["filter"] if place.get("filter") in FILTERS else "all"
        self._open, self._exact = place.get("open") is True, place.get("exact") is True
        self._cursor = cursor if isinstance(cursor, int) and cursor >= 0 else 0

    @property
    def part_open(self) -> bool:
        return self._open

    def leave(self) -> bool:
        if self._open:
            self._open = False
            self.say("")
            self.bench.do(self._show_sample, exclusive="dataset sample")
            return True
        return False

    def shown_actions(self) -> Any:
        there = self._sight is not None
        wanted = {
            "build": not self._open, "verify": there and not self._open, "composition": there and not self._open,
            "split": there and not self._open, "version": there and not self._open and self._several,
            "export": there and not self._open, "mask": there, "sample": there and not self._open,
            "next": self._open, "previous": self._open,
        }  # fmt: skip
        return lambda name: wanted.get(name, False)

    @property
    def _several(self) -> bool:
        return self._sight is not None and len(self._sight.datasets) > 1

    def _focus_front(self) -> None:
        if self.bench.screen is self:
            (self.query_one(SampleView) if self._open else self.query_one(LineList)).focus()

    # Drawing

    def runs_changed(self) -> None:
        if self._ended() is not None:
            self.bench.refresh_stage()
        self._draw()

    def _ended(self) -> RunPicture | None:
        """The run that was started here, once it has ended, until that is told."""
        picture = next((each for each in self.bench.pictures if each.id == self._awaited), None)
        return None if picture is None or picture.state in ("running", "queued") else picture

    def _tell(self, picture: RunPicture) -> None:
        """Say once how a run ended."""
        self._awaited = ""
        if picture.state != "done":
            self.say(f"{picture.id} {picture.state}", "warning")
        elif picture.kind == BUILD_KIND:
            from core.dataset.composition import build_line

            same = "as it was, nothing it holds has changed: " if picture.result.get("known") else ""
            self.say(same + build_line(picture.result), "good")
        else:
            well = not (picture.result["leaks"] or picture.result["parity"])
            self.say(picture.result["lines"][-1], "good" if well else "error")

    def _fill(self, cursor: int | None = None) -> None:
        lines = self._sight.lines if self._sight is not None else ()
        if self._filter == "failed recall":
            self._lines = [line for line in lines if any(kind != "kept" for kind in line.recall)]
        else:
            self._lines = [line for line in lines if self._filter in ("all", line.split)]
        self.query_one(LineList).fill(len(self._lines), lambda place: sample_row(self._lines[place]), cursor)
        self._draw()
        self.keys_changed()

    def _draw(self) -> None:
        figures = self.query_one("#figures", Words)
        if self._open and self._line_now() is not None:
            line = self._line_now()
            assert line is not None
            figures.put(*sample_head(line, self.query_one(LineList).cursor, len(self._lines)))
        elif self._sight is None:
            figures.put(*NONE_YET, ("  Next  ", "bold"), (self.key("build"), "bold $accent"), "  build it")
        else:
            keys = {name: self.key(name) for name in ("build", "verify")}
            lines = figure_lines(self._sight, self._verdict(), keys)
            if self._filter != "all":
                lines.append([("  Shown    ", "bold"), f"{self._filter}: {len(self._lines):,} samples"])
            figures.put(*_joined(lines))
        self.query_one(LineList).display = not self._open and self._sight is not None
        self.query_one(SampleView).display = self._open
        self._draw_run()

    def _draw_run(self) -> None:
        place = self.query_one("#run", Words)
        picture = next((each for each in self.bench.pictures if each.kind in (BUILD_KIND, VERIFY_KIND)), None)
        place.display = picture is not None and picture.state != "done"
        if picture is not None and place.display:
            place.put(*run_line(picture))

    def _verdict(self) -> RunPicture | None:
        """The last check of this very dataset."""
        wanted = self._sight.row.hash if self._sight is not None else ""
        return next(
            (each for each in self.bench.pictures
             if each.kind == VERIFY_KIND and each.state == "done" and each.result.get("hash") == wanted), None
        )  # fmt: skip

    def _line_now(self) -> ExampleLine | None:
        place = self.query_one(LineList).cursor
        return self._lines[place] if place < len(self._lines) else None

    async def _show_sample(self) -> None:
        """Draw the sample under the cursor, or go back to the list."""
        line = self._line_now()
        if self._sight is None or line is None:
            self._open = False
        self._draw()
        self._focus_front()
        self.keys_changed()
        if not self._open or self._sight is None or line is None or self.bench.workspace is None:
            return
        view = self.query_one(SampleView)
        row = self._sight.row
        if not self._exact:
            from core.dataset.masks import sample_of

            try:
                found = await self.bench.read(sample_of, row.id, line.position + 1)
            except SimuleeError as error:
                await view.say(f"{error.message}; {error.hint}")
                return
            await view.show_messages(found.messages, self.bench.workspace.target)
            self.say(f"» trained «   {self.key('mask')}: the exact text that the model reads")
            return
        if (row.hash, line.position) not in self._segments:
            from core.dataset.masks import segments_apart

            await view.say("making the exact text, some seconds …")
            await asyncio.sleep(SETTLED)
            root = self.bench.workspace.root
            try:
                made = await asyncio.to_thread(segments_apart, root, row.id, line.position, AHEAD)
            except SimuleeError as error:
                await view.say(f"{error.message}; {error.hint}")
                return
            self._segments |= {(row.hash, line.position + ahead): each for ahead, each in enumerate(made)}
        await view.show_segments(self._segments[row.hash, line.position])
        self.say(f"» trained «   exactly what the model reads; {self.key('mask')}: as messages")

    # Actions

    def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        self.action_sample()

    def action_sample(self) -> None:
        """Read the sample under the cursor."""
        if self._line_now() is None:
            self.say("there is no sample to read", "warning")
            return
        self._open = True
        self.bench.do(self._show_sample, exclusive="dataset sample")

    def action_mask(self) -> None:
        """As messages, or exactly as the model reads it."""
        if self._line_now() is None:
            self.say("there is no sample to read", "warning")
            return
        self._exact = not self._exact if self._open else True
        self._open = True
        self.bench.do(self._show_sample, exclusive="dataset sample")

    def action_next(self) -> None:
        """The next sample."""
        self._step(1)

    def action_previous(self) -> None:
        """The sample before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        samples = self.query_one(LineList)
        samples.go_to(samples.cursor + by)
        if self._open:
            self.bench.do(self._show_sample, exclusive="dataset sample")

    async def action_composition(self) -> None:
        """All figures: the histogram of lengths, years, sources, what the guard said."""
        if self._sight is None:
            self.say("there is no dataset yet", "warning")
            return
        await self.bench.push_screen(ShowBox(self._sight.composition.dataset, figure_box(self._sight, self._verdict())))

    async def action_split(self) -> None:
        """Which samples the list shows."""

        async def settle(place: int | None) -> None:
            if place is not None:
                self._filter = FILTERS[place]
                self._fill(0)

        await self.bench.ask(ChoiceBox("Which samples", FILTER_WORDS, FILTERS.index(self._filter)), settle)

    async def action_version(self) -> None:
        """Which dataset."""
        if self._sight is None:
            self.say("there is no dataset yet", "warning")
            return
        rows = [*reversed(self._sight.datasets)]
        words = [f"ds{row.id} {row.hash[:8]} · {local(row.created_at)} · "
                 f"{'with' if row.settings['memories'] else 'without'} memories" for row in rows]  # fmt: skip
        now = next(place for place, row in enumerate(rows) if self._sight and row.id == self._sight.row.id)

        async def settle(place: int | None) -> None:
            if place is not None:
                self._reference = rows[place].hash if place else None
                self._cursor = 0
                self.bench.refresh_stage()

        await self.bench.ask(ChoiceBox("Which dataset", words, now), settle)

    async def action_build(self) -> None:
        """Freeze what is accepted now."""
        if self.bench.workspace is None:
            self.without_workspace()
            return

        async def settle(place: int | None) -> None:
            if place == 2:
                await self._ask_heldout()
            elif place is not None:
                self.bench.do(self._start(BUILD_KIND, BUILD_ENTRY, {"memories": place == 0, "heldout": []}))

        words = ("with the accepted memories", "without memories, to compare", "choose first what is held out")
        await self.bench.ask(ChoiceBox("Freeze what is accepted now", words), settle)

    async def _ask_heldout(self) -> None:
        from core.corpus.holdout import candidates

        found = await self.bench.read(candidates)

        async def settle(held: Held | None) -> None:
            if held is not None:
                params = {"memories": True, "heldout": held.references, "released": held.released}
                self.bench.do(self._start(BUILD_KIND, BUILD_ENTRY, params))

        await self.bench.ask(HoldBox(found), settle)

    def action_verify(self) -> None:
        """Check for leaks, and that every sample is what the twin would be asked today."""
        if self._sight is None:
            self.say("there is no dataset yet", "warning")
            return
        self.bench.do(self._start(VERIFY_KIND, VERIFY_ENTRY, {"dataset": self._sight.row.hash}))

    async def _start(self, kind: str, entry: str, params: dict[str, Any]) -> None:
        if self._starting:
            return
        self._starting = True
        self.say("starting")
        try:
            run = await self.bench.start_run(kind, entry, params)
        finally:
            self._starting = False
        self.say(f"{run.id} is running" if run is not None else "")
        if run is not None:
            self._awaited = run.id
            self.runs_changed()

    async def action_export(self) -> None:
        """Write the dataset in a format that other tools read."""
        if self._sight is None:
            self.say("there is no dataset yet", "warning")
            return
        from core.dataset.export import FORMATS

        async def settle(place: int | None) -> None:
            if place is not None:
                self.bench.do(self._export(FORMATS[place]))

        await self.bench.ask(ChoiceBox(f"Export {self._sight.composition.dataset} as", FORMATS), settle)

    async def _export(self, format_name: str) -> None:
        from core.dataset.export import export

        if self._sight is None:
            return
        try:
            written = await self.bench.read(export, self._sight.row, format_name)
        except SimuleeError as error:
            self.bench.complain(error)
            return
        if self.bench.stage_now() is self:
            await self.bench.push_screen(ShowBox("Written", [[str(path)] for path in written]))
        self.say(f"{len(written)} files under exports/", "good")


def _joined(lines: list[list[Part]]) -> list[Part]:
    return [part for number, line in enumerate(lines) for part in (["\n"] if number else []) + line]


def screen() -> Stage:
    """What the workbench installs."""
    return DatasetScreen()
