"""A list drawn by line: a hundred thousand rows cost what thirty do."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from tui.widgets.text import Part, line

Row = Callable[[int], list[Part]]


class LineList(ScrollView, can_focus=True):
    """Rows by number; ``row(n)`` gives the words of one, asked only for the rows that are seen."""

    BINDINGS = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("home", "first", "first", show=False),
        Binding("end", "last", "last", show=False),
    ]
    COMPONENT_CLASSES = {"line-list--cursor"}
    DEFAULT_CSS = """
    LineList { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    LineList > .line-list--cursor { background: $panel; text-style: bold; }
    LineList:focus > .line-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    """

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, widget: LineList, place: int) -> None:
            super().__init__()
            self.list = widget
            self.place = place

        @property
        def control(self) -> LineList:
            return self.list

    class Chosen(Moved):
        """Enter, or a click on the row under the cursor."""

    def __init__(self, id: str | None = None, empty: str = "nothing here yet") -> None:
        super().__init__(id=id)
        self._count = 0
        self._row: Row = lambda _: [""]
        self.empty = empty
        """What stands there when there are no rows."""
        self.cursor = 0

    def fill(self, count: int, row: Row, cursor: int | None = None) -> None:
        """Show these rows; the cursor stays where it can."""
        self._count, self._row = count, row
        self.cursor = min(max(self.cursor if cursor is None else cursor, 0), max(0, count - 1))
        self.virtual_size = Size(self.size.width, max(count, 1))
        self._show_cursor()
        self.refresh()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(self.size.width, max(self._count, 1))
        self._show_cursor()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        place = self.scroll_offset.y + y
        style = self.visual_style
        if self._count == 0 and y == 0:
            content = line((self.empty, "$quiet"))
        elif place < self._count:
            content = line(*self._row(place))
            if place == self.cursor:
                style = self.get_visual_style("line-list--cursor")
                if self.app.no_color:
                    style += Style(reverse=True)
                if self.has_focus:  # One color on the cursor's own ground: those of the parts would not be read there.
                    content = line(content.plain)
        else:
            return Strip.blank(width, style.rich_style)
        fitted = content.truncate(width, ellipsis=True, pad=True)
        return Visual.to_strips(self, fitted, width, 1, style)[0]

    def go_to(self, place: int) -> None:
        """Put the cursor on a row; only the two rows that change are painted."""
        place = min(max(place, 0), max(0, self._count - 1))
        if place == self.cursor or not self._count:
            return
        before, self.cursor = self.cursor, place
        for changed in (before, place):
            self.refresh(Region(0, changed - self.scroll_offset.y, self.size.width, 1))
        self._show_cursor()
        self.post_message(self.Moved(self, place))

    def repaint(self, place: int) -> None:
        """One row has changed."""
        self.refresh(Region(0, place - self.scroll_offset.y, self.size.width, 1))

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if not height:  # Not shown yet: it is placed when it is.
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def action_move(self, step: int) -> None:
        """One row."""
        self.go_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """As many rows as are seen."""
        self.go_to(self.cursor + step * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """The first row."""
        self.go_to(0)

    def action_last(self) -> None:
        """The last row."""
        self.go_to(self._count - 1)

    def key_enter(self, event: events.Key) -> None:
        """Choose the row."""
        if self._count:
            event.stop()
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there; a second one chooses."""
        place = self.scroll_offset.y + event.y
        if place == self.cursor and self._count:
            self.post_message(self.Chosen(self, place))
        else:
            self.go_to(place)
