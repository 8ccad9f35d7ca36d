"""What every screen shares: the frame around its body, its keys, and coming back to where one left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from tui.keys import ACTIONS, EVERYWHERE
from tui.widgets.frame import Banner, KeyLine, StatusLine, Tabs

if TYPE_CHECKING:
    from core.workspace import Workspace
    from tui.app import Workbench


def bindings_of(where: str) -> list[Binding]:
    """The registry's actions for one screen as Textual's bindings; their ids let ``keys.toml`` override them."""
    prefix = "app." if where == EVERYWHERE else ""
    return [
        Binding(action.keys, prefix + action.name, action.label, id=action.id, show=action.footer)
        for action in ACTIONS
        if action.where == where
    ]


class Stage(Screen[None]):
    """One screen of the workbench. A subclass says ``NAME``, and overrides ``body``, ``load`` and the place methods.

    ``load`` runs whenever the screen comes to the front with an open workspace, and when the corpus behind it changed.
    A screen reads and writes through core functions only: heavy ones through ``await self.bench.read(function, …)``.
    """

    NAME: ClassVar[str] = ""
    TITLE_WORDS: ClassVar[str] = ""
    AUTO_FOCUS = ""
    ALONE: ClassVar[frozenset[str]] = frozenset()
    """The actions that need no workspace: the footer tells no others where none is open."""

    ready = False
    """Whether the screen knows its place and may be asked for it."""
    due = True
    """Whether it is to be filled when it comes to the front."""

    def __init_subclass__(cls, **rest: Any) -> None:
        if "NAME" in cls.__dict__:
            cls.BINDINGS = [*bindings_of(cls.NAME)]
        super().__init_subclass__(**rest)

    @property
    def bench(self) -> Workbench:
        """The app, with its own type."""
        return cast("Workbench", self.app)

    def compose(self) -> ComposeResult:
        yield Banner()
        yield Tabs(self.NAME)
        with Vertical(id="body"):
            yield from self.body()
        yield StatusLine()
        yield KeyLine(self.NAME)

    def body(self) -> ComposeResult:
        """What stands between the frame's lines."""
        yield from ()

    async def load(self, workspace: Workspace) -> None:
        """Fill the screen from the workspace."""

    def without_workspace(self) -> None:
        """No workspace could be opened: say what one can do here."""

    def runs_changed(self) -> None:
        """Some run has new events: ``self.bench.pictures`` holds them. At most twice a second."""

    def place(self) -> dict[str, Any]:
        """Where one is: the item, the filter, the order. JSON values only."""
        return {}

    def come_back(self, place: dict[str, Any]) -> None:
        """Called once before the first ``load``, with what ``place`` said when one left."""

    def leave(self) -> bool:
        """Escape: leave the input that has the focus. True when there was something to leave."""
        if self.focused is not None:
            self.set_focus(None)
            return True
        return False

    def say(self, text: str, kind: str = "") -> None:
        """One line above the keys; ``kind`` is '', ``good``, ``warning`` or ``error``."""
        self.query_one(StatusLine).say(text, kind)

    def key(self, name: str, where: str = "") -> str:
        """The key that an action of this screen, or of ``where``, has here: words name no other."""
        return self.bench.keymap[f"{where or self.NAME}.{name}"].shown_key

    @property
    def ways_in(self) -> str:
        """What to do where no workspace is open."""
        return f"{self.key('go', EVERYWHERE)} o shows the ways in."

    def keys_changed(self) -> None:
        """Draw the footer again: what keys do here has changed."""
        self.query_one(KeyLine).show_keys()

    def shown_actions(self) -> Callable[[str], bool] | None:
        """Which of this screen's actions make sense now; None for all. The footer leaves the others out."""
        return None

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        if self.due:  # Not when a box over it was closed.
            self.due = False
            self.bench.screen_shown(self)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.keys_changed()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.keys_changed()

    @property
    def part_open(self) -> bool:
        """Whether one part fills the screen, a sample or a run: going back closes it first."""
        return False

    def needs_workspace(self, name: str) -> bool:
        """Whether an action of this screen has nothing to act on where no workspace is open."""
        return name not in self.ALONE and any(each.where == self.NAME and each.name == name for each in ACTIONS)

    def is_writing(self) -> bool:
        """Whether single keys go into an input now."""
        focused: Widget | None = self.focused
        return focused is not None and focused.check_consume_key("x", "x")
