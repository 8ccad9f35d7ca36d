"""The plan of the Train screen: what the keys choose there, and starting what is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual import events
from textual.containers import VerticalScroll

from tui.screens.stage import Stage
from tui.screens.train.plan import METHODS, Choices, Prepared, prepare
from tui.screens.train.plan_words import plan_parts
from tui.widgets.boxes import AskBox, ChoiceBox
from tui.widgets.text import Words

SCORER_NOTE = (
    "It tells after which passages the real answers are likeliest. A packaged name, a folder, or a hub name."
    " Empty: the judge's model where it runs here, else the persona's."
)
BASE_NOTE = (
    "A packaged name, a folder, or a hub name, with the tokens that the dataset was packed for."
    " Empty: the persona's model in persona.toml."
)

AROUND = 3
"""Columns at the sides of the plan, its scroll bar among them."""


class Planning(Stage):
    """A stage on which a training run is prepared and started."""

    def __init__(self) -> None:
        super().__init__()
        self._choices = Choices()
        self._prepared: Prepared | None = None
        self._asked = 0
        """How often a plan was asked for."""
        self._planning = False

    def redraw(self) -> None:
        """Draw the plan, or whatever stands in its place."""
        raise NotImplementedError

    def started(self) -> None:
        """A run was started: the newest one is to be shown."""
        raise NotImplementedError

    def shows_plan(self) -> bool:
        """Whether the plan is at the front."""
        raise NotImplementedError

    async def prepare_again(self) -> None:
        """Estimate what is chosen now. Until that is known nothing can be started, and the newest choice wins."""
        self._asked += 1
        asked, self._prepared = self._asked, None
        self.redraw()
        prepared = await self.bench.read(prepare, self._choices.copy())
        if asked == self._asked:
            self._prepared = prepared

    def draw_plan(self, remark: str) -> None:
        """Put the plan on the page."""
        words = self.query_one("#words", Words)
        if self._prepared is None:
            words.put(f"{self._choices.method}: looking at what there is to learn from…")
        else:
            words.put(*plan_parts(self._prepared, self.key, self.size.width - AROUND, remark))

    def plan_actions(self) -> dict[str, bool]:
        """Which of the plan's actions make sense, while it is shown."""
        prepared = self._prepared
        return {
            "start": prepared is not None and prepared.is_ready,
            "method": prepared is not None,
            "dataset": bool(prepared and prepared.datasets),
            "preset": bool(prepared and prepared.presets and prepared.is_ready),
            # Without accepted memories one loss can have nothing to learn from, and another one can.
            "loss": bool(prepared and prepared.losses and (prepared.is_ready or prepared.method == "retriever")),
            "base": prepared is not None,
        }

    def on_key(self, event: events.Key) -> None:
        """A plan that is longer than the screen scrolls."""
        plan = self.query_one("#plan", VerticalScroll)
        moves = {
            "down": plan.scroll_down, "j": plan.scroll_down, "up": plan.scroll_up, "k": plan.scroll_up,
            "pagedown": plan.scroll_page_down, "pageup": plan.scroll_page_up,
            "home": plan.scroll_home, "end": plan.scroll_end,
        }  # fmt: skip
        if self.shows_plan() and event.key in moves:
            event.stop()
            moves[event.key](animate=False)

    async def _choose(self, **values: str) -> None:
        """Change what the next run is made of, and estimate it again."""
        self._planning = True
        for name, value in values.items():
            self._choices.set(name, value)
        await self.prepare_again()
        self.redraw()

    def ask_choice(self, title: str, values: list[str], words: list[str], now: str, then: Callable[[str], Any]) -> None:
        """A box of choices; ``then`` gets the value of the one that is taken."""

        async def ask() -> None:
            place = await self.bench.push_screen_wait(
                ChoiceBox(title, words, values.index(now) if now in values else 0)
            )
            if place is not None:
                await then(values[place])

        self.bench.do(ask())

    async def action_method(self) -> None:
        """By which method the next run trains."""
        self.ask_choice(
            "Train by", [*METHODS], [f"{name} · {words}" for name, words in METHODS.items()], self._choices.method,
            lambda value: self._choose(method=value),
        )  # fmt: skip

    async def action_dataset(self) -> None:
        """What to train on."""
        prepared = self._prepared
        if prepared is None or (prepared.method == "sft" and not prepared.datasets):
            self.say(f"there is no dataset yet: {self.key('go', 'app')} d freezes one", "warning")
            return
        if not prepared.datasets:
            self.say(f"{prepared.method} reads no dataset: it learns from what was decided", "warning")
            return
        values, words = zip(*prepared.datasets, strict=True)
        now = prepared.params.get("dataset", "")
        self.ask_choice("Train on", [*values], [*words], now, lambda value: self._choose(dataset=value))

    async def action_preset(self) -> None:
        """How fast, how long, how many samples a step."""
        self._ask_one("preset", "Preset", self._prepared.presets if self._prepared else ())

    async def action_loss(self) -> None:
        """What is made small."""
        self._ask_one("loss", "Loss", self._prepared.losses if self._prepared else ())

    def _ask_one(self, name: str, title: str, choices: tuple[tuple[str, str], ...]) -> None:
        if not choices:
            self.say(f"{self._choices.method} has no {name} to choose", "warning")
            return
        values, words = zip(*choices, strict=True)
        self.ask_choice(
            title, [*values], [*words], self._choices.get(name), lambda value: self._choose(**{name: value})
        )

    async def action_base(self) -> None:
        """Which model learns, which adapter is gone on from, or which model scores."""
        if self._choices.method in ("dpo", "kto"):
            self._ask_one("from", "Go on from", self._prepared.starts if self._prepared else ())
            return
        scores = self._choices.method == "retriever"

        async def ask() -> None:
            now = self._prepared.params.get("base", "") if self._prepared else ""
            title = "Which model scores the answers?" if scores else "Which model learns?"
            note = SCORER_NOTE if scores else BASE_NOTE
            base = await self.bench.push_screen_wait(AskBox(title, now, note=note))
            if base is not None:
                await self._choose(base=base.strip())

        self.bench.do(ask())

    async def action_start(self) -> None:
        """Start what is prepared; from a run that is watched, prepare one first."""
        if not self.shows_plan():
            self._planning = True
            await self.prepare_again()
            self.redraw()
            return
        prepared = self._prepared
        if prepared is None:
            return
        if not prepared.is_ready:
            self.say(prepared.problem + (f"; {prepared.hint}" if not prepared.helps else ""), "warning")
            return
        self.say("starting…")
        run = await self.bench.start_run(prepared.method, prepared.entry, prepared.params)
        if run is None:
            self.say("it was not started", "warning")
            return
        self._planning = False
        self.started()
        self.say(f"{run.id}: {prepared.brief}", "good")
