"""Where words are typed. What a paste or the program puts in is cleaned on its way."""

from __future__ import annotations

import unicodedata
from typing import Any

from textual import events
from textual.widgets import Input, TextArea

from tui.safe_text import safe, safe_line


def is_of_words(character: str | None) -> bool:
    """Whether what a key types belongs to words: Textual takes joiners, other spaces than the usual one and characters
    newer than this Python's tables for no text."""
    if character is None or len(character) != 1:
        return False
    return character.isprintable() or (unicodedata.category(character) != "Cc" and safe(character) == character)


class Field(Input):
    """One line to type."""

    def __init__(self, value: str = "", placeholder: str = "", id: str | None = None, **rest: Any) -> None:
        super().__init__(value=safe_line(value), placeholder=placeholder, id=id, compact=True, **rest)

    def put(self, value: str) -> None:
        """Set the words."""
        self.value = safe_line(value)
        self.cursor_position = len(self.value)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """As Textual's, for every character of words."""
        return is_of_words(character)

    def on_key(self, event: events.Key) -> None:
        """Tab does not leave the words: what is typed after it would act as single keys."""
        if event.key in ("tab", "shift+tab") and event.key not in self._bindings.key_to_bindings:
            event.stop()
        elif event.character is not None and is_of_words(event.character) and not event.is_printable:
            event.stop()
            self.replace(event.character, *self.selection)

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

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """As Textual's, for every character of words."""
        return super().check_consume_key(key, character) or (not self.read_only and is_of_words(character))

    def on_key(self, event: events.Key) -> None:
        """Type what Textual does not take for text."""
        if self.read_only or event.character is None or event.is_printable:
            return
        if is_of_words(event.character):
            event.stop()
            self._replace_via_keyboard(event.character, *self.selection)

    def _replace_via_keyboard(self, insert: str, start: Any, end: Any) -> Any:
        return super()._replace_via_keyboard(safe(insert), start, end)
