"""Boxes close once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.containers import Vertical

from tui.app import Options, Workbench
from tui.widgets.boxes import ChoiceBox, ShowBox
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
