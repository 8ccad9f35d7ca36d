"""A talk painted by line: rows laid out elsewhere, a cursor over the items in them, new rows at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from tui.widgets.text import Part, line, words

NO_ITEM = -1


@dataclass(frozen=True, slots=True)
class TalkRow:
    """One painted line. It belongs to one item, or holds several side by side in ``notes``."""

    content: Content = field(default_factory=line)
    item: int = NO_ITEM
    notes: tuple[tuple[int, str], ...] = ()
    """(item, words) after the content."""

    @property
    def plain(self) -> str:
        """Its words, without styles."""
        return self.content.plain + "   ".join(text for _, text in self.notes)

    def holds(self, item: int) -> bool:
        """Whether an item is on this row."""
        return self.item == item or any(each == item for each, _ in self.notes)


class TalkView(ScrollView, can_focus=True):
    """The rows of a talk. The view stays at the end while rows are added there, unless somebody scrolled up."""

    BINDINGS = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("home", "first", "first", show=False),
        Binding("end", "last", "last", show=False),
    ]
    COMPONENT_CLASSES = {"talk--cursor"}
    DEFAULT_CSS = """
    TalkView {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden;
    }
    TalkView > .talk--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    """

    class Moved(Message):
        """The cursor is on another item."""

    class Resized(Message):
        """Rows are to be laid out for another width."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[TalkRow] = []
        self._items = 0
        self.cursor = NO_ITEM

    @property
    def shown(self) -> str:
        """What the talk says, without styles, the lines out of sight included."""
        return "\n".join(row.plain for row in self._rows)

    @property
    def room(self) -> int:
        """Cells of a row, beside the scroll bar."""
        return max(1, self.scrollable_content_region.width)

    def show(self, rows: Sequence[TalkRow], items: int, to_end: bool = False) -> None:
        """Show these rows, which hold this many items; ``to_end`` goes to the last one."""
        at_end = to_end or self.scroll_offset.y >= len(self._rows) - self.size.height
        before = [self._visible(y) for y in range(self.size.height)]
        self._rows, self._items = list(rows), items
        if to_end or self.cursor >= items:
            self.cursor = items - 1
        if self.virtual_size.height != max(1, len(rows)):
            self.virtual_size = Size(self.size.width, max(1, len(rows)))
        if at_end:
            self.scroll_to(y=max(0, len(rows) - self.size.height), animate=False, force=True)
        changed = [Region(0, y, self.size.width, 1) for y, old in enumerate(before) if not _same(old, self._visible(y))]
        if changed:
            self.refresh(*changed)

    def put_cursor(self, item: int) -> None:
        """Put the cursor on an item and bring it into sight."""
        item = min(max(item, 0), self._items - 1)
        places = [place for place, row in enumerate(self._rows) if row.holds(item)]
        if not places:
            return
        if item != self.cursor:
            self.cursor = item
            self.refresh()
            self.post_message(self.Moved())
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if places[0] < top:
            self.scroll_to(y=places[0], animate=False, force=True)
        elif places[-1] >= top + height:
            self.scroll_to(y=min(places[0], places[-1] - height + 1), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.room
        row = self._visible(y)
        style = self.visual_style
        if row is None:
            return Strip.blank(width, style.rich_style)
        marked = self.has_focus and row.item == self.cursor and row.item != NO_ITEM
        parts: list[Part] = [("▌" if marked else " ", "$primary"), row.content]
        for place, (item, text) in enumerate(row.notes):
            chosen = self.has_focus and item == self.cursor
            parts += ["   " if place else "", (text, "reverse" if chosen else "$quiet")]
        fitted = line(*parts).truncate(width, ellipsis=True, pad=True)
        return Visual.to_strips(self, fitted, width, 1, style)[0]

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, step: int) -> None:
        """One item."""
        self.put_cursor(self.cursor + step)

    def action_page(self, step: int) -> None:
        """As many rows as are seen."""
        self.scroll_to(y=self.scroll_offset.y + step * max(1, self.size.height - 1), animate=False, force=True)

    def action_first(self) -> None:
        """The first item."""
        self.put_cursor(0)

    def action_last(self) -> None:
        """The last item."""
        self.put_cursor(self._items - 1)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        row = self._visible(event.y)
        if row is not None and (row.item != NO_ITEM or row.notes):
            self.put_cursor(row.notes[0][0] if row.notes else row.item)

    def _visible(self, y: int) -> TalkRow | None:
        place = self.scroll_offset.y + y
        return self._rows[place] if place < len(self._rows) else None


def wrapped(width: int, label: Part, *parts: Part, indent: int, item: int = NO_ITEM) -> list[TalkRow]:
    """Words wrapped to a width as rows, every one indented, the first led by a label within the indent."""
    laid = words(*parts).wrap(max(1, width - indent - 1)) or [words("")]
    lead = line(label)
    first = line(lead, " " * max(0, indent - lead.cell_length), laid[0])
    return [TalkRow(first, item), *(TalkRow(line(" " * indent, each), item) for each in laid[1:])]


def _same(one: TalkRow | None, other: TalkRow | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.item == other.item and one.notes == other.notes and one.content.is_same(other.content)
