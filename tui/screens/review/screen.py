"""The review screen: one card at a time, one key for each decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult

from core.review.walk import ORDERS
from tui.screens.review.checking import Checking
from tui.screens.review.deciding import Deciding
from tui.screens.review.drawing import KINDS
from tui.screens.review.moving import Moving, is_filter
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox
from tui.widgets.card_view import CardView
from tui.widgets.editing import EditInPlace
from tui.widgets.frame import run_words
from tui.widgets.line_list import LineList
from tui.widgets.text import Words, words

if TYPE_CHECKING:
    from core.workspace import Workspace

ONLY_MEMORIES = {"answer", "next_exchange", "previous_exchange", "blind", "figures", "contradictions"}
ONLY_PAIRS = {"left", "right", "neither"}
NOT_PAIRS = {"accept", "edit"}
NO_CARD = {"filter", "undo", "order", "queue", "recall", "redo", "figures", "contradictions"}


class ReviewScreen(Deciding, Moving, Checking):
    """One queue, many kinds of cards."""

    NAME = "review"
    CSS_PATH = "review.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._came_back_to = ""

    def body(self) -> ComposeResult:
        yield Words(id="header")
        yield Words(id="rule")
        yield CardView(id="card")
        yield LineList(id="list")
        yield EditInPlace(id="editor")
        yield Words(id="recent")

    def without_workspace(self) -> None:
        self.query_one(CardView).show([words(f"Open a workspace to review its memories: {self.ways_in}")])

    async def load(self, workspace: Workspace) -> None:
        session = self.session
        came_back_to, self._came_back_to = self._came_back_to, ""
        await session.open(came_back_to or session.uid_to_return_to, session.place)
        if came_back_to:
            session.pass_decided()
        await session.look_at_figures()
        self._fill_list()
        self.draw()
        self.tell_of_left_edit()
        self.bench.do(self.renew())

    def place(self) -> dict[str, Any]:
        session = self.session
        uid = session.uid_to_return_to if session.card else self._came_back_to
        return {
            "kind": session.kind, "order": session.order, "filter": session.filter_text, "place": session.place,
            "uid": uid, "answer": self._answer_shown, "auto": self._auto_advance,
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        session = self.session
        if place.get("kind") in KINDS:
            session.kind = place["kind"]
        if place.get("order") in ORDERS:
            session.order = place["order"]
        text = place.get("filter")
        session.filter_text = text if isinstance(text, str) and is_filter(text) else ""
        session.place = place["place"] if isinstance(place.get("place"), int) else 0
        self._came_back_to = str(place.get("uid") or "")
        self._answer_shown = bool(place.get("answer"))
        self._auto_advance = place.get("auto") is not False

    def runs_changed(self) -> None:
        running = [each for each in self.bench.pictures if each.kind == "recall" and each.state == "running"]
        if running:
            self.say(run_words(running[0]))

    def shown_actions(self) -> Callable[[str], bool] | None:
        session = self._session
        if session is None or session.card is None:
            return lambda name: name in NO_CARD
        others = {"recall"} | (NOT_PAIRS if session.kind == "pair" else ONLY_PAIRS)
        if session.kind != "memory":
            others |= ONLY_MEMORIES
        return lambda name: name not in others

    async def action_recall(self) -> None:
        """Start a recall run; where memories are already, only after asking."""
        walk = self.session.walk
        if walk is None or self.session.kind != "memory":
            return
        if not walk.total:
            await self._recall(1)
            return
        choices = ["not now", "recall for every question that is new or whose passages changed"]
        await self.bench.ask(ChoiceBox(f"{walk.total:,} memories are here. Recall again?", choices), self._recall)

    async def _recall(self, choice: int | None) -> None:
        from core.journey import RECALL

        run = await self.bench.start_run(*RECALL, {}) if choice == 1 else None
        if run is not None:
            self.say(f"{run.id} writes memories; they appear here when it is done")

    async def on_key(self, event: events.Key) -> None:
        """A card longer than the screen scrolls."""
        view = self.query_one(CardView)
        if event.key in ("pagedown", "pageup") and not self.has_class("-listing"):
            view.scroll_by((view.size.height - 2) * (1 if event.key == "pagedown" else -1))
            event.stop()


def screen() -> Stage:
    """What the workbench installs."""
    return ReviewScreen()
