"""What is pasted is words, whatever it holds: nothing in it presses a key of the workbench."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tests.hostile_strings import STORED
from tui.loop.terminal import PASTE_BEGINS, PASTE_ENDS, InputDecoder

TEXTS = [each.text for each in STORED if PASTE_ENDS not in each.text]


def heard(*pieces: bytes) -> list[events.Event]:
    """What Textual makes of bytes that come one after another."""
    decoder, parser = InputDecoder(), XTermParser()
    return [event for piece in pieces if (text := decoder.decode(piece)) for event in parser.feed(text)]  # type: ignore[misc]


@pytest.mark.parametrize("text", TEXTS, ids=[each.tag for each in STORED])
def test_a_paste_is_one_paste_and_no_key(text: str) -> None:
    [paste] = heard(f"{PASTE_BEGINS}{text}{PASTE_ENDS}".encode())
    assert isinstance(paste, events.Paste)
    assert paste.text == text.replace("\x1b", "␛").replace("\x00", "")


@given(st.text(st.sampled_from("\x1b[20~1ab\x9b"), max_size=40), st.lists(st.integers(0, 60), max_size=5))
def test_wherever_the_line_cuts_it(text: str, cuts: list[int]) -> None:
    if PASTE_ENDS in text:
        return
    data = f"a{PASTE_BEGINS}{text}{PASTE_ENDS}b".encode()
    places = [0, *sorted(cuts), len(data)]
    before, *paste, after = heard(*(data[start:stop] for start, stop in itertools.pairwise(places)))
    assert isinstance(before, events.Key)
    assert isinstance(after, events.Key)
    assert (before.key, after.key) == ("a", "b")
    assert [type(each) for each in paste] == [events.Paste]


@given(st.binary())
def test_what_is_typed_is_let_through(data: bytes) -> None:
    if PASTE_BEGINS.encode() not in data:
        assert InputDecoder().decode(data, True) == data.decode("utf-8", "replace")


@pytest.mark.parametrize(("typed", "key"), [("\x1b[A", "up"), ("\x1bOQ", "f2"), ("\x1b[6~", "pagedown"), ("é", "é")])
def test_keys_are_keys(typed: str, key: str) -> None:
    [pressed] = heard(typed.encode())
    assert isinstance(pressed, events.Key)
    assert key in (pressed.key, pressed.character)
