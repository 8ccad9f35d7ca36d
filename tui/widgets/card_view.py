"""A card painted by line: only the lines that differ from the card before go over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tui.widgets.text import Part, line, strip_of, words


class CardView(Widget):
    """Shows laid-out lines from a first one on; what does not fit is reached with ``scroll_by``."""

    DEFAULT_CSS = "CardView { height: 1fr; width: 1fr; background: $background; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Content] = []
        self._top = 0
        self._painted: dict[int, tuple[Content, int, Style, Strip]] = {}
        """Strips that were painted ahead, by the identity of their line, which is held here so that it stays one."""

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
        width, height = self.size
        before = [self._visible(y, height) for y in range(height)]
        self._lines, self._top = list(lines), max(0, top)
        changed = [
            Region(0, y, min(width, max(_length(old), _length(new))), 1)
            for y, old in enumerate(before)
            if not _same(old, new := self._visible(y, height))
        ]
        if changed:
            self.refresh(*changed)

    def paint_ahead(self, lines: Sequence[Content]) -> None:
        """Have the strips of lines at hand that are shown next; only the latest such lines are kept."""
        width, style = self.size.width, self.visual_style
        ahead = lines[: self.size.height]
        self._painted = {id(each): (each, width, style, strip_of(each, width, style)) for each in ahead}

    def scroll_by(self, rows: int) -> None:
        """Move the lines under the window."""
        last = max(0, len(self._lines) - self.size.height)
        self.show(self._lines, min(max(0, self._top + rows), last))

    @property
    def hidden_below(self) -> int:
        """How many lines lie under the lower edge."""
        return self._below(self.size.height)

    def _below(self, height: int) -> int:
        return max(0, len(self._lines) - self._top - height)

    def _visible(self, y: int, height: int) -> Content | None:
        if y == height - 1 and (below := self._below(height)):
            return line((f"    … {below + 1} more lines: page down", "$quiet"))
        place = self._top + y
        return self._lines[place] if place < len(self._lines) else None

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        content, style = self._visible(y, height), self.visual_style
        if content is None:
            return Strip.blank(width, style.rich_style)
        painted = self._painted.get(id(content))
        if painted is not None and painted[1:3] == (width, style):
            return painted[3]
        return strip_of(content, width, style)


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
