"""Boxes close once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.app import Options, Workbench
from tui.widgets.boxes import ChoiceBox, ShowBox


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
