"""Parts of the import screen: the field with path completion, and the box of issues."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message

from core.corpus.records import Issue
from core.corpus.reports import by_reason
from tui.widgets.boxes import Box, ShowBox
from tui.widgets.inputs import Field
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words


class SourceField(Field):
    """Where a path is typed: tab completes, the arrow down goes to the report."""

    BINDINGS = [
        Binding("tab", "complete", "complete", show=False),
        Binding("down", "leave_down", "to the report", show=False),
    ]

    class Completing(Message):
        """Tab was pressed on these words."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The arrow down was pressed."""

    def action_complete(self) -> None:
        """Ask for a completion."""
        self.post_message(self.Completing(self.value))

    def action_leave_down(self) -> None:
        """Go on to the report."""
        self.post_message(self.Left())


class IssuesBox(Box[None]):
    """Issues by reason: each reason with its count, and every place under it. Enter shows one whole."""

    def __init__(self, title: str, issues: Sequence[Issue]) -> None:
        super().__init__(title)
        self._rows: list[tuple[str, str]] = []
        """(reason, place); the place is empty for a reason's own row."""
        self._counts: dict[str, int] = {}
        for reason, places in by_reason(issues):
            self._counts[reason] = len(places)
            self._rows += [(reason, ""), *((reason, place) for place in places)]

    def inside(self) -> ComposeResult:
        yield LineList(empty="nothing was left out")
        yield Words(("enter shows one whole · esc closes", "$quiet"))

    def opened(self) -> None:
        report = self.query_one(LineList)
        report.fill(len(self._rows), self._row)
        report.focus()

    def _row(self, place: int) -> list[Part]:
        reason, locator = self._rows[place]
        if locator:
            return ["    ", locator]
        return [("! ", "$warning"), (f"{self._counts[reason]:,} × {reason}", "bold")]

    def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        reason, locator = self._rows[event.place]
        self.app.push_screen(ShowBox(locator or f"{self._counts[reason]:,} times", [[reason]]))
