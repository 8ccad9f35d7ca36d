"""Train: a run is prepared with its estimate, then watched: curves, figures, samples, log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from tui.estimates import brief_estimate
from tui.screens.stage import Stage
from tui.screens.train.live import (
    curve,
    figure_parts,
    last,
    last_step,
    sample_parts,
    title_parts,
    trouble_parts,
)
from tui.screens.train.plan import Choices, Prepared, plan_parts, prepare
from tui.widgets.block_chart import BlockChart
from tui.widgets.boxes import AskBox, ChoiceBox, ShowBox
from tui.widgets.frame import GLYPHS
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture
    from core.store.adapters import AdapterRow
    from core.workspace import Workspace

TRAINING_KINDS = ("sft", "dpo", "kto")
"""Every kind of run that is watched here; the first of them is started here too."""
WIDE_ENOUGH_FOR_BOTH = 32
"""Rows of the terminal from which all samples of an evaluation are shown, not the first alone."""


def _adapters(workspace: Workspace) -> tuple[list[AdapterRow], str]:
    """Every adapter, and the name of the one in use. On the reader's thread."""
    from core.store.adapters import active_adapter, list_adapters

    active = active_adapter(workspace.database)
    return list_adapters(workspace.database), active.name if active else ""


class TrainScreen(Stage):
    """Prepare a run, and watch it."""

    NAME = "train"
    CSS_PATH = "train.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._choices = Choices()
        self._prepared: Prepared | None = None
        self._planning = False
        self._picked = ""
        """The run that is watched; empty: the newest."""
        self._overlay = ""
        self._adapters: list[AdapterRow] = []
        self._in_use = ""

    def body(self) -> ComposeResult:
        with VerticalScroll(id="plan"):
            yield Words(id="words")
        with Vertical(id="run"):
            yield Words(id="title")
            yield Words(id="figures")
            yield Words(id="trouble")
            yield BlockChart(id="chart", empty="the first step has not been taken yet")
            yield Words(id="spoken")
            yield LineList(id="log", empty="nothing was logged yet")

    def on_mount(self) -> None:
        self.add_class("-plan")  # Nothing is known yet: an empty page, not an empty chart.

    def without_workspace(self) -> None:
        self.query_one("#words", Words).put(f"There is no workspace here to train in. {self.ways_in}")

    async def load(self, workspace: Workspace) -> None:
        self._adapters, self._in_use = await self.bench.read(_adapters)
        await self._prepare()
        self._draw()

    async def _prepare(self) -> None:
        self._prepared = await self.bench.read(prepare, self._choices)

    def runs_changed(self) -> None:
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        if self.ready:
            self._draw()

    def place(self) -> dict[str, Any]:
        return {
            "planning": self._planning, "run": self._picked, "overlay": self._overlay, "log": self.has_class("-log"),
            "dataset": self._choices.dataset, "base": self._choices.base, "preset": self._choices.preset,
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        self._planning = bool(place.get("planning"))
        self._picked, self._overlay = str(place.get("run", "")), str(place.get("overlay", ""))
        self.set_class(bool(place.get("log")), "-log")
        self._choices = Choices(*(str(place.get(name, "")) for name in ("dataset", "base", "preset")))

    def leave(self) -> bool:
        if self._planning and self._runs():
            self._planning = False
            self._draw()
            return True
        return super().leave()

    def shown_actions(self) -> Callable[[str], bool]:
        picture, planning = self._watched(), self._shows_plan()
        state = picture.state if picture and not planning else ""
        sense = {
            "start": state != "running",
            "dataset": planning,
            "base": planning,
            "preset": planning,
            "cancel": state == "running",
            "resume": state in ("cancelled", "failed", "lost"),
            "overlay": bool(state) and len(self._runs()) > 1,
            "samples": picture is not None and not planning and bool(picture.samples),
            "log": bool(state),
            "pick": len(self._runs()) > (0 if planning else 1),
        }
        return lambda name: sense.get(name, True)

    # What is shown

    def _runs(self) -> list[RunPicture]:
        """The training runs, newest first."""
        return [picture for picture in self.bench.pictures if picture.kind in TRAINING_KINDS]

    def _watched(self) -> RunPicture | None:
        runs = self._runs()
        return next((picture for picture in runs if picture.id == self._picked), runs[0] if runs else None)

    def _shows_plan(self) -> bool:
        return self._planning or self._watched() is None

    def _draw(self) -> None:
        planning = self._shows_plan()
        self.set_class(planning, "-plan")
        if planning:
            self._draw_plan()
        else:
            self._draw_run()
        self.keys_changed()

    def _draw_plan(self) -> None:
        if self._prepared is None:
            return
        names = ("start", "dataset", "base", "preset")
        running = next((picture.id for picture in self._runs() if picture.state == "running"), "")
        leave = self.key("leave", "app")
        remark = f"{running} is at work now: one trains at a time. {leave} shows it." if running else ""
        if not remark and self._runs():
            remark = f"{leave} shows the runs there are."
        self.query_one("#words", Words).put(
            *plan_parts(self._prepared, self.bench.target, {name: self.key(name) for name in names}, remark)
        )

    def _draw_run(self) -> None:
        picture = self._watched()
        if picture is None:
            return
        self.query_one("#title", Words).put(*title_parts(picture, self._in_use, self.size.width - 2), layout=False)
        self.query_one("#figures", Words).put(*figure_parts(picture), layout=False)
        trouble = self.query_one("#trouble", Words)
        parts = trouble_parts(picture, self.key("resume"))
        trouble.display = bool(parts)
        trouble.put(*parts)
        curves = [("loss", curve(picture, "loss")), ("eval", curve(picture, "eval_loss"))]
        other = next((each for each in self._runs() if each.id == self._overlay and each is not picture), None)
        if other is not None:
            curves.append((other.id, curve(other, "loss")))
        end = max(last_step(picture), last_step(other) if other else 0)
        self.query_one("#chart", BlockChart).show(curves, end)
        self._draw_spoken(picture)
        if self.has_class("-log"):
            log = self.query_one("#log", LineList)
            at_end = log.cursor >= log.count - 1
            lines = picture.log
            log.fill(len(lines), lambda place: [lines[place]], len(lines) - 1 if at_end else None)

    def _draw_spoken(self, picture: RunPicture) -> None:
        spoken = self.query_one("#spoken", Words)
        spoken.display = bool(picture.samples) and not self.has_class("-log")
        if picture.samples:
            told = picture.samples[-1]
            many = len(told["samples"]) if self.size.height >= WIDE_ENOUGH_FOR_BOTH else 1
            parts: list[Part] = []
            for sample in told["samples"][:many]:
                parts += sample_parts(sample, told["step"])
            spoken.put(*parts[:-1])

    # What is chosen

    async def _choose(self, **values: str) -> None:
        """Change what the next run is made of, and estimate it again."""
        self._planning = True
        for name, value in values.items():
            setattr(self._choices, name, value)
        await self._prepare()
        self._draw()

    def _ask_choice(
        self, title: str, values: list[str], words: list[str], now: str, then: Callable[[str], Any]
    ) -> None:
        async def ask() -> None:
            place = await self.bench.push_screen_wait(
                ChoiceBox(title, words, values.index(now) if now in values else 0)
            )
            if place is not None:
                await then(values[place])

        self.bench.do(ask())

    async def action_dataset(self) -> None:
        """What to train on."""
        if self._prepared is None or not self._prepared.datasets:
            self.say(f"there is no dataset yet: {self.key('go', 'app')} d freezes one", "warning")
            return
        values, words = zip(*self._prepared.datasets, strict=True)
        now = self._prepared.params.get("dataset", "")
        self._ask_choice("Train on", [*values], [*words], now, lambda value: self._choose(dataset=value))

    async def action_preset(self) -> None:
        """How fast, how long, how many samples a step."""
        if self._prepared is not None:
            values, words = zip(*self._prepared.presets, strict=True)
            self._ask_choice(
                "Preset", [*values], [*words], self._choices.preset, lambda value: self._choose(preset=value)
            )

    async def action_base(self) -> None:
        """Which model learns."""

        async def ask() -> None:
            now = self._prepared.params.get("base", "") if self._prepared else ""
            base = await self.bench.push_screen_wait(
                AskBox(
                    "Which model learns?",
                    now,
                    note="A packaged name, a folder, or a hub name, with the tokens that the dataset was packed for."
                    " Empty: the persona's model in persona.toml.",
                )
            )
            if base is not None:
                await self._choose(base=base.strip())

        self.bench.do(ask())

    async def action_pick(self) -> None:
        """Another run."""
        runs = self._runs()
        if not runs:
            self.say("nothing was trained here yet", "warning")
            return

        async def then(value: str) -> None:
            self._picked, self._planning = value if value != runs[0].id else "", False
            self._draw()

        now = self._watched()
        self._ask_choice("Which run", [run.id for run in runs], [*map(_run_line, runs)], now.id if now else "", then)

    async def action_overlay(self) -> None:
        """The loss of another run over this one's."""
        picture = self._watched()
        others = [run for run in self._runs() if run is not picture and run.metrics]
        if picture is None or not others:
            self.say("there is no other run with a curve to lay over this one", "warning")
            return

        async def then(value: str) -> None:
            self._overlay = value
            self._draw()

        self._ask_choice(
            "Lay over it", ["", *(run.id for run in others)], ["nothing", *map(_run_line, others)], self._overlay, then
        )

    async def action_use(self) -> None:
        """Which adapter the twin answers with."""
        if not self._adapters:
            self.say("there is no adapter yet: a run makes one", "warning")
            return
        watched = self._watched()
        names = ["", *(adapter.name for adapter in reversed(self._adapters))]
        words = ["the bare base model", *map(_adapter_line, reversed(self._adapters))]
        at = names.index(self._in_use) if self._in_use in names else 0
        words[at] += " · in use"
        now = watched.result.get("adapter", self._in_use) if watched and not self._shows_plan() else self._in_use

        async def then(name: str) -> None:
            from core.adapters.choice import choose_adapter

            await self.bench.write(choose_adapter, name or None)
            self._in_use = name
            self._draw()
            self.say(f"the twin uses {name or 'the bare base model'}", "good")

        self._ask_choice("The twin answers with", names, words, now, then)

    # What is done

    async def action_start(self) -> None:
        """Start what is prepared; from a run that is watched, prepare one first."""
        if not self._shows_plan():
            self._planning = True
            await self._prepare()
            self._draw()
            return
        prepared = self._prepared
        if prepared is None:
            return
        if prepared.estimate is None:
            self.say(f"{prepared.problem}; {prepared.hint}", "warning")
            return
        from core.training.launch import SFT_ENTRY, SFT_KIND

        self.say("starting…")
        run = await self.bench.start_run(SFT_KIND, SFT_ENTRY, prepared.params)
        if run is None:
            self.say("it was not started", "warning")
            return
        self._picked, self._planning = "", False
        self._draw()
        self.say(f"{run.id}: {brief_estimate(prepared.estimate)}", "good")

    async def action_cancel(self) -> None:
        """Stop at the next step, with a checkpoint."""
        picture = self._watched()
        if picture is None or picture.state != "running":
            self.say("only a run that is at work can be stopped", "warning")
        elif await self.bench.cancel_run(picture.id) is not None:
            self.say(f"asked {picture.id} to save a checkpoint and stop; {self.key('resume')} goes on later", "good")

    async def action_resume(self) -> None:
        """Go on from the last whole checkpoint."""
        picture = self._watched()
        if picture is None or picture.state in ("running", "done"):
            self.say(
                "there is nothing to resume" + (f": {picture.id} is {picture.state}" if picture else ""), "warning"
            )
        elif await self.bench.resume_run(picture.id) is not None:
            self._planning = False
            self.say(f"{picture.id} goes on", "good")

    async def action_log(self) -> None:
        """The log instead of the samples, and back."""
        self.toggle_class("-log")
        self._draw()
        if self.has_class("-log"):
            self.query_one("#log", LineList).focus()
        else:
            self.set_focus(None)

    async def action_samples(self) -> None:
        """Every validation answer of the run, newest first."""
        picture = self._watched()
        if picture is None or not picture.samples:
            self.say("no samples yet: they come with each evaluation, when a conversation validates", "warning")
            return
        lines = [sample_parts(sample, told["step"]) for told in reversed(picture.samples) for sample in told["samples"]]
        self.bench.push_screen(ShowBox(f"What {picture.id} says to the validation questions", lines))


def _run_line(picture: RunPicture) -> str:
    """One run among others."""
    loss, evaluated = last(picture, "loss"), last(picture, "eval_loss")
    return (
        f"{GLYPHS[picture.state]} {picture.id} {picture.state} · {picture.done}/{last_step(picture)} steps"
        + (f" · loss {loss:.2f}" if loss is not None else "")
        + (f" · eval {evaluated:.2f}" if evaluated is not None else "")
    )


def _adapter_line(adapter: AdapterRow) -> str:
    memories = "with memories" if adapter.memories else "without memories"
    settings = adapter.settings
    made_of = f"ds{adapter.dataset_id} {memories}" if adapter.dataset_id else "no dataset"
    if "preferences" in settings:
        made_of += f", then {len(settings['preferences'])} preferences"
    return f"{adapter.name} · {made_of} · {settings.get('steps', '?')} steps"


def screen() -> Stage:
    """What the workbench installs."""
    return TrainScreen()
