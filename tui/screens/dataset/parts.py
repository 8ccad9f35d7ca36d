"""Parts of the dataset screen: one sample with its loss mask, and the box that asks what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll

from tui.widgets.boxes import Box
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.corpus.holdout import Candidate
    from core.dataset.masks import Segment

OPEN, CLOSE = "»", "«"
"""Around what the loss reads, as ``simulee dataset show --mask`` has it."""
HINT = "space marks · enter builds so · esc closes"
RELEASE = (
    "{0} was held out by a person. Space again releases it: it is trained on from now on, so only the scores so far are"
    " of words that were held out"
)


class SampleView(VerticalScroll, can_focus=True):
    """A sample as messages, or exactly as the model reads it; what is trained stands between » and «, with a bar."""

    async def show_messages(self, messages: Sequence[dict[str, Any]], target: str) -> None:
        """Each message under who says it."""
        widgets = []
        for message in messages:
            who = target if message["role"] == "assistant" else message["role"]
            trained = bool(message["trained"])
            widgets.append(Words((f"{who}{': trained' if trained else ''}", "$quiet"), classes="plain"))
            widgets.append(_words(message["content"], trained))
        await self._replace(widgets)

    async def show_segments(self, segments: Sequence[Segment]) -> None:
        """The exact text."""
        await self._replace([_words(segment.text, segment.trained) for segment in segments])

    async def say(self, text: str) -> None:
        """A word instead of a sample."""
        await self._replace([Words((text, "$quiet"))])

    async def _replace(self, widgets: Sequence[Words]) -> None:
        async with self.batch():
            await self.remove_children()
            await self.mount_all(widgets)
        self.scroll_home(animate=False)


def _words(text: str, trained: bool) -> Words:
    if not trained:
        return Words(text, classes="plain")
    return Words((OPEN, "bold $success"), (text, "bold"), (CLOSE, "bold $success"), classes="trained")


@dataclass(frozen=True, slots=True)
class Held:
    """What a person chose, as ids of conversations."""

    references: list[str]
    """All that is held out; none where nothing but releases changes that."""
    released: list[str]
    """What a person held out before and now releases."""


class HoldBox(Box[Held]):
    """Which conversations are held out. Space marks, enter answers; what a person held out takes a second space."""

    BINDINGS = [Binding("space", "mark", "mark", show=False)]

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        super().__init__("What is held out: never trained on, kept for measuring")
        self._candidates = candidates
        self._held = {each.reference for each in candidates if each.split == "heldout"}
        self._by_person = {each.reference for each in candidates if each.split == "heldout" and each.by_person}
        self._asked = ""
        """What is released when space is pressed once more."""

    def inside(self) -> ComposeResult:
        yield LineList(empty="there is no conversation to hold out")
        yield Words((HINT, "$quiet"), id="hint")

    def opened(self) -> None:
        held = self.query_one(LineList)
        held.fill(len(self._candidates), self._row)
        held.focus()

    def _row(self, place: int) -> list[Part]:
        each = self._candidates[place]
        chosen = each.reference in self._held
        by = " by a person" if each.reference in self._by_person else ""
        state = f"held out{by}" if chosen else "validation" if each.split == "validation" else "train"
        return [
            ("◉ " if chosen else "○ ", "bold $success" if chosen else ""),
            f"{each.reference:<6} {each.date or 'undated':<10} {each.exchanges:>4} exchanges  {state:<20} ",
            each.title,
        ]

    def action_mark(self) -> None:
        """Hold this one out, or train on it."""
        if not self._candidates:
            return
        held = self.query_one(LineList)
        each = self._candidates[held.cursor]
        hint = self.query_one("#hint", Words)
        if each.reference in self._by_person & self._held and self._asked != each.reference:
            self._asked = each.reference
            hint.put(RELEASE.format(each.reference))
            return
        self._asked = ""
        self._held ^= {each.reference}
        held.repaint(held.cursor)
        hint.put((HINT, "$quiet"))

    def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        if not self._held:
            self.query_one("#hint", Words).put("hold at least one out: space marks it", layout=False)
            return
        released = self._by_person - self._held
        stays = {each.reference for each in self._candidates if each.split == "heldout"} - released
        in_order = [each.reference for each in self._candidates]
        self.dismiss(
            Held(
                [each for each in in_order if each in self._held] if self._held != stays else [],
                [each for each in in_order if each in released],
            )
        )
