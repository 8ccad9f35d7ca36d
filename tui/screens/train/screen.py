"""Train: a run is prepared with its estimate, then watched: curves, figures, samples, log."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from tui.moments import local
from tui.screens.stage import Stage
from tui.screens.train import retriever
from tui.screens.train.live import (
    curve,
    figure_parts,
    last_step,
    run_line,
    sample_parts,
    title_parts,
    trouble_parts,
)
from tui.screens.train.plan import METHODS, Choices
from tui.screens.train.planning import Planning
from tui.widgets.block_chart import BlockChart
from tui.widgets.boxes import ShowBox
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.retrieval.retrievers import Retriever
    from core.runs.snapshot import RunPicture
    from core.store.adapters import AdapterRow
    from core.workspace import Workspace

WIDE_ENOUGH_FOR_BOTH = 32
"""Rows of the terminal from which all samples of an evaluation are shown, not the first alone."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was trained, oldest first, and what of it is used; empty names for nothing."""

    adapters: tuple[AdapterRow, ...] = ()
    twins: str = ""
    retrievers: tuple[Retriever, ...] = ()
    searched_with: str = ""

    @property
    def in_use(self) -> Collection[str]:
        return {self.twins, self.searched_with} - {""}


def _made(workspace: Workspace) -> Made:
    """On the reader's thread."""
    from core.retrieval.retrievers import list_retrievers, retriever_in_use
    from core.store.adapters import active_adapter, list_adapters

    active = active_adapter(workspace.database)
    return Made(
        tuple(list_adapters(workspace.database)),
        active.name if active else "",
        tuple(list_retrievers(workspace.adapters)),
        retriever_in_use(workspace.adapters),
    )


class TrainScreen(Planning):
    """Prepare a run, and watch it."""

    NAME = "train"
    CSS_PATH = "train.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._picked = ""
        """The run that is watched; empty: the newest."""
        self._overlay = ""
        self._made = Made()

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
        self._made = await self.bench.read(_made)
        self.redraw()
        await self.prepare_again()
        self.redraw()

    def runs_changed(self) -> None:
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        if self.ready:
            self.redraw()

    def place(self) -> dict[str, Any]:
        return {
            "planning": self._planning, "run": self._picked, "overlay": self._overlay, "log": self.has_class("-log"),
            **self._choices.place(),
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        self._planning = bool(place.get("planning"))
        self._picked, self._overlay = str(place.get("run", "")), str(place.get("overlay", ""))
        self.set_class(bool(place.get("log")), "-log")
        self._choices = Choices.of(place)

    def leave(self) -> bool:
        if self._planning and self._runs():
            self._planning = False
            self.redraw()
            return True
        return super().leave()

    def shown_actions(self) -> Callable[[str], bool]:
        picture, planning = self._watched(), self.shows_plan()
        state = picture.state if picture and not planning else ""
        plan = self.plan_actions()
        sense = {name: planning and makes_sense for name, makes_sense in plan.items()} | {
            "start": plan["start"] if planning else state != "running",
            "cancel": state == "running",
            "resume": state in ("cancelled", "failed", "lost"),
            "overlay": bool(state) and picture is not None and bool(self._others_like(picture)),
            "samples": picture is not None and not planning and bool(picture.samples),
            "log": bool(state),
            "pick": len(self._runs()) > (0 if planning else 1),
            "use": bool(self._made.retrievers if self._is_of_search() else self._made.adapters),
        }
        return lambda name: sense.get(name, True)

    # What is shown

    def _runs(self) -> list[RunPicture]:
        """The training runs, newest first."""
        return [picture for picture in self.bench.pictures if picture.kind in METHODS]

    def _watched(self) -> RunPicture | None:
        runs = self._runs()
        return next((picture for picture in runs if picture.id == self._picked), runs[0] if runs else None)

    def _others_like(self, picture: RunPicture) -> list[RunPicture]:
        """Other runs of the kind that have a curve: a loss of another kind has another scale."""
        return [run for run in self._runs() if run.kind == picture.kind and run is not picture and run.metrics]

    def _is_of_search(self) -> bool:
        """Whether what is at the front, a run or the plan, trains a retriever."""
        picture = None if self.shows_plan() else self._watched()
        return (picture.kind if picture else self._choices.method) == retriever.KIND

    def started(self) -> None:
        self._picked = ""
        self.redraw()

    def shows_plan(self) -> bool:
        return self._planning or self._watched() is None

    def redraw(self) -> None:
        planning = self.shows_plan()
        self.set_class(planning, "-plan")
        if planning:
            self._draw_plan()
        else:
            self._draw_run()
        self.keys_changed()

    def _draw_plan(self) -> None:
        leave = self.key("leave", "app")
        running = [picture for picture in self._runs() if picture.state == "running"]
        same = next((picture.id for picture in running if picture.kind == self._choices.method), "")
        remark = f"{leave} shows the runs there are." if self._runs() else ""
        if running:
            remark = f"{running[0].id} is at work now; both would share this machine. {leave} shows it."
        if same:
            remark = f"{same} is at work now: one trains at a time. {leave} shows it."
        self.draw_plan(remark)

    def _draw_run(self) -> None:
        picture = self._watched()
        if picture is None:
            return
        self.query_one("#title", Words).put(
            *title_parts(picture, self._is_used(picture), self.size.width - 2), layout=False
        )
        self.query_one("#figures", Words).put(*figure_parts(picture), layout=False)
        trouble = self.query_one("#trouble", Words)
        parts = trouble_parts(picture, self.key("resume"))
        trouble.display = bool(parts)
        trouble.put(*parts)
        curves = [("loss", curve(picture, "loss")), ("eval", curve(picture, "eval_loss"))]
        other = next((each for each in self._others_like(picture) if each.id == self._overlay), None)
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

    def _is_used(self, picture: RunPicture) -> bool:
        return picture.result.get("adapter") in self._made.in_use

    def _draw_spoken(self, picture: RunPicture) -> None:
        parts: list[Part]
        spoken = self.query_one("#spoken", Words)
        if picture.kind == retriever.KIND:
            parts = retriever.verdict_parts(picture, self._is_used(picture), self.key("use"))
            spoken.display = bool(parts) and not self.has_class("-log")
            spoken.put(*parts)
            return
        spoken.display = bool(picture.samples) and not self.has_class("-log")
        if picture.samples:
            told = picture.samples[-1]
            many = len(told["samples"]) if self.size.height >= WIDE_ENOUGH_FOR_BOTH else 1
            parts = []
            for sample in told["samples"][:many]:
                parts += sample_parts(sample, told["step"])
            spoken.put(*parts[:-1])

    # What is chosen

    async def action_pick(self) -> None:
        """Another run."""
        runs = self._runs()
        if not runs:
            self.say("nothing was trained here yet", "warning")
            return

        async def then(value: str) -> None:
            self._picked, self._planning = value if value != runs[0].id else "", False
            self.redraw()

        now = self._watched()
        self.ask_choice("Which run", [run.id for run in runs], [*map(run_line, runs)], now.id if now else "", then)

    async def action_overlay(self) -> None:
        """The loss of another run over this one's."""
        picture = self._watched()
        others = self._others_like(picture) if picture else []
        if not others:
            self.say("there is no other run like this one with a curve to lay over it", "warning")
            return

        async def then(value: str) -> None:
            self._overlay = value
            self.redraw()

        self.ask_choice(
            "Lay over it", ["", *(run.id for run in others)], ["nothing", *map(run_line, others)], self._overlay, then
        )

    async def action_use(self) -> None:
        """Which adapter the twin answers with; for a retriever, which one searches use."""
        if self._is_of_search():
            self._ask_retriever()
        else:
            self._ask_adapter()

    def _ask_adapter(self) -> None:
        made = self._made
        if not made.adapters:
            self.say("there is no adapter yet: a run makes one", "warning")
            return
        choices = {"": "the bare base model"} | {each.name: _adapter_line(each) for each in reversed(made.adapters)}

        async def then(name: str) -> None:
            from core.adapters.choice import choose_adapter

            await self.bench.write(choose_adapter, name or None)
            self._made = replace(self._made, twins=name)
            self.redraw()
            self.say(f"the twin uses {name or 'the bare base model'}", "good")

        self._ask_used("The twin answers with", choices, made.twins, then)

    def _ask_retriever(self) -> None:
        made = self._made
        if not made.retrievers:
            self.say("there is no retriever yet: a run makes one", "warning")
            return
        choices = {"": "the embedder as it is"} | {
            each.name: _retriever_line(each) for each in reversed(made.retrievers)
        }

        async def then(name: str) -> None:
            from core.adapters.choice import choose_retriever

            await self.bench.write(choose_retriever, name or None)
            self._made = replace(self._made, searched_with=name)
            self.redraw()
            self.say(f"searches use {name or 'the embedder as it is'}; recall again to let memories follow", "good")

        self._ask_used("Searches use", choices, made.searched_with, then)

    def _ask_used(self, title: str, choices: dict[str, str], used: str, then: Callable[[str], Any]) -> None:
        """A box of what can be used; what the run that is watched made is marked at first."""
        watched = None if self.shows_plan() else self._watched()
        if used in choices:
            choices[used] += " · in use"
        now = watched.result.get("adapter", used) if watched else used
        self.ask_choice(title, [*choices], [*choices.values()], now, then)

    # What is done

    async def action_cancel(self) -> None:
        """Stop at the next step, with a checkpoint."""
        picture = self._watched()
        if picture is None or picture.state != "running":
            self.say("only a run that is at work can be stopped", "warning")
        elif await self.bench.cancel_run(picture.id) is not None:
            is_head = picture.kind == retriever.KIND and not picture.params.get("full")
            saves = "stop" if is_head else "save a checkpoint and stop"
            self.say(f"asked {picture.id} to {saves}; {self.key('resume')} goes on later", "good")

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
        self.redraw()
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


def _adapter_line(adapter: AdapterRow) -> str:
    memories = "with memories" if adapter.memories else "without memories"
    settings = adapter.settings
    made_of = f"ds{adapter.dataset_id} {memories}" if adapter.dataset_id else "no dataset"
    if "preferences" in settings:
        made_of += f", then {len(settings['preferences'])} preferences"
    return f"{adapter.name} · {made_of} · {settings.get('steps', '?')} steps"


def _retriever_line(made: Retriever) -> str:
    gain = made.card.get("gain")
    brought = f"gain {gain:+.3f} MRR" if isinstance(gain, float | int) else "gain not known"
    return f"{made.name} · {made.kind} · {brought} · {local(made.created_at)}"


def screen() -> Stage:
    """What the workbench installs."""
    return TrainScreen()
