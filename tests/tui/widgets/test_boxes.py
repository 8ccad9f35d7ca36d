"""Boxes close once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.containers import Vertical

from tui.app import Options, Workbench
from tui.screens.chat.boxes import CompareBox, CorrectBox, SessionsBox
from tui.screens.dataset.parts import HoldBox
from tui.screens.importing.parts import IssuesBox
from tui.widgets.boxes import AskBox, Box, ChoiceBox, ErrorBox, GoBox, ShowBox
from tui.widgets.palette import Palette


def test_two_keys_that_both_close_a_box_close_nothing_under_it(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test() as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            answers: list[int | None] = []
            below = ShowBox("below", [["words"]])
            await bench.push_screen(below)
            box = ChoiceBox("above", ["one", "two"])
            await bench.push_screen(box, answers.append)
            box.dismiss(1)
            box.dismiss(0)
            await pilot.pause()
            assert bench.screen is below
            assert answers == [1]
        bench.close_lanes()

    asyncio.run(run())


async def no_sessions(words: list[str]) -> list[Any]:
    return []


BOXES: dict[str, Callable[[], Box[Any]]] = {
    "go": GoBox,
    "error": lambda: ErrorBox("words", "what to do", "a path"),
    "ask": lambda: AskBox("which", "words", note="why"),
    "choice": lambda: ChoiceBox("which", ["one", "two", "three"]),
    "show": lambda: ShowBox("lines", [["words"], ["more"]]),
    "correct": lambda: CorrectBox("a question", "an answer"),
    "compare": lambda: CompareBox("a question", "an answer", lambda: None),
    "sessions": lambda: SessionsBox(no_sessions, None),
    "issues": lambda: IssuesBox("issues", []),
    "hold": lambda: HoldBox([]),
}


@pytest.mark.parametrize("kind", BOXES)
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
def test_a_box_that_is_closed_while_it_opens_breaks_nothing(tmp_path: Path, kind: str, turns: int) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test() as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            box = BOXES[kind]()
            bench.push_screen(box)
            for _ in range(turns):
                await asyncio.sleep(0)
            for key in ("down", "escape", "down", "x"):
                box.post_message(events.Key(key, key if len(key) == 1 else None))
            box.dismiss(None)
            await pilot.pause(0.05)
            assert bench.screen is bench.stage_now()
        bench.close_lanes()

    asyncio.run(run())


@pytest.mark.parametrize("kind", [*BOXES, "palette"])
@pytest.mark.parametrize("key", ["ctrl+q", "f10"])
def test_the_keys_that_end_the_workbench_end_it_from_a_box(tmp_path: Path, kind: str, key: str) -> None:
    async def run() -> Workbench:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test() as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            if kind == "palette":
                await pilot.press("colon")
            else:
                await bench.push_screen(BOXES[kind]())
            await pilot.pause()
            assert bench.screen is not bench.stage_now()
            await pilot.press(key)
            await pilot.pause()
        bench.close_lanes()
        return bench

    assert asyncio.run(run()).return_code == 0


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
def test_a_choice_of_the_palette_that_comes_after_a_screen_was_brought_closes_nothing_there(
    tmp_path: Path, key: str
) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test() as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            await pilot.press(key)
            palette = bench.screen
            assert isinstance(palette, Palette)
            bench.go_to("runs")
            palette._action_escape()
            await pilot.pause()
            assert bench.screen is bench.stage_now()
            assert bench.stage_now().NAME == "runs"
        bench.close_lanes()

    asyncio.run(run())


@pytest.mark.parametrize("width", [80, 120])
def test_no_word_of_a_long_box_is_cut_at_its_scroll_bar(tmp_path: Path, width: int) -> None:
    words = [f"word{number}" + "x" * (number % 9) for number in range(600)]

    async def run() -> str:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test(size=(width, 24)) as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            await bench.push_screen(
                ShowBox("long", [[" ".join(words[start : start + 100])] for start in range(0, 600, 100)])
            )
            seen = ""
            for _ in range(16):
                await pilot.pause()
                strips = bench.screen._compositor.render_strips()
                seen += "\n".join("".join(segment.text for segment in strip) for strip in strips)
                await pilot.press("pagedown")
        bench.close_lanes()
        return seen

    shown = set(asyncio.run(run()).split())
    assert [word for word in words if word not in shown] == []


def test_a_short_box_is_as_wide_as_its_words(tmp_path: Path) -> None:
    async def run() -> int:
        bench = Workbench(Options(folder=tmp_path))
        async with bench.run_test() as pilot:
            while bench.trouble is None:
                await pilot.pause(0.02)
            await bench.push_screen(ChoiceBox("Which", ["one", "a choice of forty-one characters in words"]))
            await pilot.pause()
            strips = bench.screen._compositor.render_strips()
            painted = ["".join(segment.text for segment in strip) for strip in strips]
            assert any("a choice of forty-one characters in words" in line for line in painted)
            width = bench.screen.query_one(Vertical).outer_size.width
        bench.close_lanes()
        return width

    assert asyncio.run(run()) < 60
