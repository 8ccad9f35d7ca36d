"""A card painted by line: only the lines that differ from the card before go over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from tui.widgets.text import Part, line, words


class CardView(Widget):
    """Shows laid-out lines from a first one on; what does not fit is reached with ``scroll_by``."""

    DEFAULT_CSS = "CardView { height: 1fr; width: 1fr; background: $background; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Content] = []
        self._top = 0

    class Resized(Message):
        """The lines are to be laid out again."""

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())

    @property
    def shown(self) -> str:
        """What the card says, without styles, the lines out of sight included."""
        return "\n".join(each.plain for each in self._lines)

    def show(self, lines: Sequence[Content], top: int = 0) -> None:
        """Show another card, from its line ``top``."""
        before = [self._visible(y) for y in range(self.size.height)]
        self._lines, self._top = list(lines), max(0, top)
        width = self.size.width
        changed = [
            Region(0, y, min(width, max(_length(old), _length(self._visible(y)))), 1)
            for y, old in enumerate(before)
            if not _same(old, self._visible(y))
        ]  # fmt: skip
        if changed:
            self.refresh(*changed)

    def scroll_by(self, rows: int) -> None:
        """Move the lines under the window."""
        last = max(0, len(self._lines) - self.size.height)
        self.show(self._lines, min(max(0, self._top + rows), last))

    @property
    def hidden_below(self) -> int:
        """How many lines lie under the lower edge."""
        return max(0, len(self._lines) - self._top - self.size.height)

    def _visible(self, y: int) -> Content | None:
        if self.hidden_below and y == self.size.height - 1:
            return line((f"    … {self.hidden_below + 1} more lines: page down", "$quiet"))
        place = self._top + y
        return self._lines[place] if place < len(self._lines) else None

    def render_line(self, y: int) -> Strip:
        content = self._visible(y)
        width = self.size.width
        if content is None:
            return Strip.blank(width, self.visual_style.rich_style)
        fitted = content.truncate(width, ellipsis=True, pad=True)
        return Visual.to_strips(self, fitted, width, 1, self.visual_style)[0]


def indented(width: int, label: Part, *parts: Part, indent: int = 4) -> list[Content]:
    """Words wrapped to a width, every line indented, the first one led by a label within the indent."""
    wrapped = words(*parts).wrap(max(1, width - indent)) or [words("")]
    lead = line(label)
    gap = " " * max(0, indent - lead.cell_length)
    return [
        line(lead, gap, wrapped[0]),
        *(line(" " * indent, each) for each in wrapped[1:]),
    ]


def _length(content: Content | None) -> int:
    return content.cell_length if content is not None else 0


def _same(one: Content | None, other: Content | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.is_same(other)
