"""The workbench under a pilot: open a screen, do something there, read what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from tui.app import Options, Workbench
from tui.widgets.frame import StatusLine
from tui.widgets.line_list import LineList
from tui.widgets.text import Words


class Seat:
    """Someone at the workbench."""

    def __init__(self, bench: Workbench, pilot: Pilot[int]) -> None:
        self.bench = bench
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and let everything that follows from them happen."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is at work but the watch over the runs."""
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for something to become true. Fails when it does not."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not true():
            assert asyncio.get_running_loop().time() < deadline, f"it did not come; the screen says:\n{self.shown}"
            await self.pilot.pause(0.02)

    @property
    def said(self) -> str:
        """The line above the keys."""
        return self.bench.stage_now().query_one(StatusLine).shown

    @property
    def shown(self) -> str:
        """All words of the screen at the front, a box over it included."""
        return "\n".join(words_of(widget) for widget in self.bench.screen.query("*"))

    @property
    def painted(self) -> list[str]:
        """The lines as the terminal gets them."""
        return ["".join(segment.text for segment in strip) for strip in self.bench.screen._compositor.render_strips()]


def words_of(widget: Widget) -> str:
    """What one widget says."""
    if isinstance(widget, Words):
        return widget.shown
    if isinstance(widget, LineList):
        parts = [widget._row(place) for place in range(widget.count)]
        return "\n".join("".join(part if isinstance(part, str) else str(part[0]) for part in row) for row in parts)
    return ""


Sit = Callable[..., None]


@pytest.fixture
def sit() -> Sit:
    """``sit(folder, screen, work)``: open a workspace at a screen and do ``await work(seat)`` there."""

    def do(
        folder: Path | None,
        screen: str,
        work: Callable[[Seat], Awaitable[Any]],
        size: tuple[int, int] = (80, 24),
    ) -> None:
        async def run() -> None:
            bench = Workbench(Options(folder=folder, screen=screen))
            async with bench.run_test(size=size) as pilot:
                seat = Seat(bench, pilot)
                await seat.until(lambda: bench.trouble is not None or bench.stage_now().ready)
                await seat.settle()
                await work(seat)
            bench.close_lanes()

        asyncio.run(run())

    return do
