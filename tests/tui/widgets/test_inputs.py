"""Where words are typed: every character of words goes in, and what could act stays out."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App, ComposeResult
from textual.events import Key
from textual.keys import _character_to_key

from tui.widgets.editing import EditInPlace
from tui.widgets.inputs import Field, Page

WORDS = "می\u200cخواهم 👩\u200d🚀 mot\u00a0: 東\u3000京 \u2009 \U0001fae9"
ACTING = "\u202e\u2066\u200b\u200f\x9b"


@pytest.mark.parametrize("kind", [Field, Page, EditInPlace])
def test_every_character_of_words_can_be_typed_and_no_acting_one(kind: type[Field] | type[Page]) -> None:
    class Form(App[None]):
        def compose(self) -> ComposeResult:
            yield kind()

    async def run() -> str:
        form = Form()
        async with form.run_test() as pilot:
            widget = form.query_one(kind)
            form.set_focus(widget)
            for character in f"{ACTING}{WORDS}{ACTING}":
                form.post_message(Key(_character_to_key(character), character))
            await pilot.pause()
            assert widget.check_consume_key("", "\u200c")
            assert not widget.check_consume_key("", "\u202e")
            return widget.value if isinstance(widget, Field) else widget.text

    assert asyncio.run(run()) == WORDS
