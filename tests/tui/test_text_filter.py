"""The filter behind the gate: no painted line carries anything that acts, whoever made it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tests.hostile_strings import EVERY, INTACT, Hostile
from tui.app import Options, Workbench
from tui.safe_text import is_hidden
from tui.widgets.text import PaintedText

BOLD = Style(bold=True)
BLACK = Color(0, 0, 0)


def painted(*texts: str) -> list[str]:
    return [each.text for each in PaintedText().apply([Segment(text, BOLD) for text in texts], BLACK)]


@pytest.mark.parametrize("hostile", EVERY, ids=lambda each: each.tag)
def test_every_hostile_string_comes_out_with_marks_and_its_style(hostile: Hostile) -> None:
    first, second = PaintedText().apply([Segment(hostile.text, BOLD), Segment("plain")], BLACK)
    assert not is_hidden(first.text)
    assert not set("\n\t") & set(first.text)
    assert first.style == BOLD
    assert second == Segment("plain")


def test_a_line_that_is_plain_is_handed_on_as_it_is() -> None:
    segments = [Segment("plain words", BOLD), Segment(" ~!")]
    assert PaintedText().apply(segments, BLACK) is segments


@pytest.mark.parametrize("text", [INTACT, "❤️", "é", "日本語", "▌ ✓ ·"])
def test_what_reads_stays(text: str) -> None:
    assert painted(text, "a") == [text, "a"]


@pytest.mark.parametrize(("text", "mark"), [("a\nb", "a␊b"), ("a\tb", "a b"), ("a\r\nb", "a␊b"), ("\x1b[2J", "␛[2J")])
def test_nothing_leaves_its_line(text: str, mark: str) -> None:
    assert painted(text) == [mark]


def test_what_the_compositor_says_to_the_terminal_is_its_own() -> None:
    control = Segment("\x1b[1;1H", None, [(ControlType.CURSOR_MOVE_TO, 0, 0)])
    assert PaintedText().apply([control, Segment("\x1b")], BLACK) == [control, Segment("␛")]


@given(st.lists(st.text(), max_size=5))
def test_no_text_acts_and_a_second_pass_changes_nothing(texts: list[str]) -> None:
    once = painted(*texts)
    assert not any(map(is_hidden, once))
    assert painted(*once) == once
    "".join(once).encode()


@given(st.text(st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd", "Po", "Zs"))))
def test_a_mark_is_as_wide_as_what_could_be_read_there(text: str) -> None:
    [shown] = painted(text)
    assert cell_len(shown) == cell_len(text)


class Leaking(Widget):
    """A library's own widget that lets everything through."""

    DEFAULT_CSS = "Leaking { height: 1; }"

    def render_line(self, y: int) -> Strip:
        return Strip([Segment("safe \x1b]0;owned\x07\x9b5m\u202e")])


class LeakingScreen(Screen[None]):
    """A screen beside the gate."""

    def compose(self):  # type: ignore[no-untyped-def]
        yield Leaking()


def test_the_workbench_paints_through_it(tmp_path: Path) -> None:
    async def run() -> str:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test(size=(60, 5)) as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            await bench.push_screen(LeakingScreen())
            await pilot.pause()
            strip = bench.screen.query_one(Leaking).render_lines(bench.screen.region)[0]
            bench.close_lanes()
            return strip.text

    assert asyncio.run(run()).startswith("safe ␛]0;owned␇�5m�")
