"""Boxes over a screen: which key, an error, a question, a choice. Escape always closes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.keys import shown
from tui.widgets.frame import go_lines
from tui.widgets.inputs import Field
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from tui.app import Workbench

Answer = TypeVar("Answer")


class OverScreen(ModalScreen[Answer], Generic[Answer]):
    """What stands over a screen and takes its keys; the one that ends the workbench does so from here too."""

    async def on_event(self, event: events.Event) -> None:
        """As Textual's but for that key, which is taken up here, after the keys that came before it."""
        if isinstance(event, events.Key) and event.key in cast("Workbench", self.app).keymap.quit_keys:
            event.stop()
            await self.app.run_action("app.quit", self)
        else:
            await super().on_event(event)


class Box(OverScreen[Answer]):
    """A box with a title; escape answers None."""

    BINDINGS = [Binding("escape", "close", "close", show=False)]
    AUTO_FOCUS = ""

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical() as around:
            around.border_title = ""
            if self._title:
                yield Words((self._title, "bold"))
            yield from self.inside()

    def inside(self) -> ComposeResult:
        """What the box holds."""
        yield from ()

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it. One that is closed loses its widgets, perhaps before it had them all."""
        return self in self.app.screen_stack

    async def on_event(self, event: events.Event) -> None:
        """As Textual's; keys that wait for a box that is closed meanwhile do nothing."""
        if self.is_open or not isinstance(event, events.InputEvent):
            await super().on_event(event)

    def on_mount(self) -> None:
        if self.is_open:
            self.opened()

    def opened(self) -> None:
        """What a box does once its widgets are there; never of one that was closed by a key typed ahead."""

    def on_key(self, event: events.Key) -> None:
        """A key that came before the box was ready belongs into its field."""
        for field in self.query(Field):
            if self.focused is None and event.key != "escape":
                self.set_focus(field)
                event.stop()
                field.post_message(events.Key(event.key, event.character))
            return

    def action_close(self) -> None:
        """Answer nothing."""
        self.dismiss(None)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """As Textual's, once: a second key that was typed ahead finds the box closed, and closes nothing under it."""
        return super().dismiss(result) if self.is_current else AwaitComplete()


class GoBox(Box[str]):
    """After ``g``: the second key and where it goes."""

    def inside(self) -> ComposeResult:
        for key, name in go_lines():
            yield Words((f" {key} ", "bold $accent"), name)

    def on_key(self, event: events.Key) -> None:
        """Any key closes the box; one of its own goes somewhere."""
        from tui.keys import GO_KEYS

        if event.key != "escape":
            event.stop()
            self.dismiss(GO_KEYS.get(event.character or ""))


class ErrorBox(Box[None]):
    """What happened, what to do, and where the log is."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__("Something went wrong")
        self._message, self._hint, self._log = message, hint, log

    def inside(self) -> ComposeResult:
        yield Words((self._message, "$error"))
        if self._hint:
            yield Words("what to do: " + self._hint)
        if self._log:
            yield Words(("the log: " + self._log, "$quiet"))
        yield Words(("esc or enter closes this", "$quiet"))

    def key_enter(self, event: events.Key) -> None:
        """Close; the key does nothing to what is under the box."""
        event.stop()
        self.dismiss(None)


class AskBox(Box[str]):
    """One line to type. Enter answers with it, escape with None."""

    def __init__(self, question: str, value: str = "", placeholder: str = "", note: str = "") -> None:
        super().__init__(question)
        self._value, self._placeholder, self._note = value, placeholder, note

    def inside(self) -> ComposeResult:
        if self._note:
            yield Words((self._note, "$quiet"))
        yield Field(self._value, self._placeholder)

    def opened(self) -> None:
        self.set_focus(self.query_one(Field))

    def on_input_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


class ChoiceBox(Box[int]):
    """A short list: a digit or a letter chooses at once, arrows and enter choose too. Answers with the place."""

    KEYS = "123456789abcdefghilmnoprstuvwxyz"

    def __init__(self, title: str, choices: Sequence[str], current: int = 0) -> None:
        super().__init__(title)
        self._choices = [*choices][: len(self.KEYS)]
        self._current = min(max(current, 0), max(0, len(self._choices) - 1))

    def inside(self) -> ComposeResult:
        for _ in self._choices:
            yield Words(classes="choice")
        if not self._choices:
            yield Words(("there is nothing to choose from", "$quiet"))

    def opened(self) -> None:
        self._draw()

    def _draw(self) -> None:
        for place, (widget, choice) in enumerate(zip(self.query(".choice"), self._choices, strict=True)):
            mark, style = ("▶", "bold") if place == self._current else (" ", "")
            cast(Words, widget).put(mark, (f" {self.KEYS[place]} ", "bold $accent"), (choice, style))
            if place == self._current:
                widget.scroll_visible(animate=False)

    def on_key(self, event: events.Key) -> None:
        """Move, or choose."""
        if event.key == "escape":
            return
        event.stop()
        if event.key in ("down", "j", "up", "k") and self._choices:
            step = 1 if event.key in ("down", "j") else -1
            self._current = (self._current + step) % len(self._choices)
            self._draw()
        elif event.key == "enter" and self._choices:
            self.dismiss(self._current)
        elif event.character and event.character in self.KEYS[: len(self._choices)]:
            self.dismiss(self.KEYS.index(event.character))


class ShowBox(Box[None]):
    """Lines to read. Arrows scroll; any other key closes."""

    def __init__(self, title: str, lines: Sequence[Sequence[Part]]) -> None:
        super().__init__(title)
        self._lines = lines

    def inside(self) -> ComposeResult:
        for parts in self._lines:
            yield Words(*parts)

    def on_key(self, event: events.Key) -> None:
        """Scroll or close."""
        box = self.query_one(Vertical)
        moves = {
            "down": box.scroll_down, "j": box.scroll_down, "up": box.scroll_up, "k": box.scroll_up,
            "pagedown": box.scroll_page_down, "space": box.scroll_page_down, "pageup": box.scroll_page_up,
        }  # fmt: skip
        event.stop()
        if event.key in moves:
            moves[event.key](animate=False)
        elif event.key not in ("tab", "shift+tab"):
            self.dismiss(None)


class KeysBox(ShowBox):
    """``?``: the keys of a screen, from the registry."""

    def __init__(self, bench: Workbench, where: str) -> None:
        super().__init__(
            f"Keys of {where.capitalize()}",
            [
                [(f" {', '.join(map(shown, action.keys.split(','))):<12} ", "bold $accent"), action.label]
                for action in bench.keymap.of(where)
            ],
        )
