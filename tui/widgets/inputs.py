"""Where words are typed. What a paste or the program puts in is cleaned on its way."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.widgets import Input, TextArea

from tui.safe_text import safe, safe_line


class Field(Input):
    """One line to type."""

    def __init__(self, value: str = "", placeholder: str = "", id: str | None = None, **rest: Any) -> None:
        super().__init__(value=safe_line(value), placeholder=placeholder, id=id, compact=True, **rest)

    def put(self, value: str) -> None:
        """Set the words."""
        self.value = safe_line(value)
        self.cursor_position = len(self.value)

    def on_key(self, event: events.Key) -> None:
        """Tab does not leave the words: what is typed after it would act as single keys."""
        if event.key in ("tab", "shift+tab") and event.key not in self._bindings.key_to_bindings:
            event.stop()

    def validate_value(self, value: str) -> str:
        """Whatever way words come in, a paste among them, they are cleaned."""
        return safe(value).replace("\n", " ").replace("\t", " ")


class Page(TextArea):
    """Many lines to type."""

    def __init__(self, text: str = "", id: str | None = None, **rest: Any) -> None:
        super().__init__(safe(text), id=id, soft_wrap=True, compact=True, highlight_cursor_line=False, **rest)

    def put(self, text: str) -> None:
        """Replace the words; what was undone before is forgotten."""
        self.load_text(safe(text))

    def _replace_via_keyboard(self, insert: str, start: Any, end: Any) -> Any:
        return super()._replace_via_keyboard(safe(insert), start, end)
