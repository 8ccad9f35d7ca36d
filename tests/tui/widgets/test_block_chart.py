"""Curves as blocks: true to their values, steady while they grow, and cheap over a slow link."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.theme import DARK, THEMES
from tui.widgets.block_chart import BlockChart, blocks, bounds, thinned

WHOLE_CHART = 2_300
"""Bytes that a chart of a terminal of 80 by 24 may take."""
ONE_STEP = 800
"""Bytes that one more step may take."""


class Room(App[None]):
    """A chart alone, counting the bytes that would go to the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK

    def compose(self) -> ComposeResult:
        yield BlockChart()

    def _display(self, screen: Any, renderable: Any) -> None:
        if hasattr(renderable, "render_segments"):
            self.sent += len(renderable.render_segments(self.console).encode())
        super()._display(screen, renderable)


Work = Callable[[Room, BlockChart, Pilot[None]], Awaitable[None]]


def _in_room(work: Work, size: tuple[int, int] = (78, 11)) -> None:
    async def do() -> None:
        room = Room()
        async with room.run_test(size=size) as pilot:
            await pilot.pause()
            await work(room, room.query_one(BlockChart), pilot)

    asyncio.run(do())


def _noisy(steps: int, seed: int = 1) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    return [(step, 4 - 1.2 * step / steps + chance.uniform(-0.3, 0.3)) for step in range(1, steps + 1)]


def test_a_falling_curve_falls() -> None:
    rows = blocks([(step, 10 - step) for step in range(10)], 10, 4, 0, 10, 10)
    heights = [sum(row[column] != " " for row in rows) for column in range(10)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == 4
    assert heights[-1] == 1


def test_what_has_not_come_yet_is_empty_and_gaps_hold_the_last_value() -> None:
    rows = blocks([(1, 1.0), (4, 1.0)], 10, 1, 0, 1, 10)
    assert rows == [" ████     "]


def test_a_level_between_two_rows_is_drawn_in_eighths() -> None:
    assert blocks([(0, 0.5)], 1, 1, 0, 1, 1) == ["▄"]
    assert blocks([(0, 0.75)], 1, 2, 0, 1, 1) == ["▄", "█"]


@pytest.mark.parametrize(
    "values", [[3.1, 4.2], [2.0], [0.0], [-3.0, 5.0], [1e-9, 2e-9], [1e12, 3e12], [4.0, 4.0001], [2.5, float("nan")]]
)
def test_a_scale_holds_its_values_and_is_round(values: list[float]) -> None:
    low, high = bounds(values)
    finite = [value for value in values if value == value]
    assert low < min(finite)
    assert high >= max(finite)
    assert (high - low) <= 3 * (max(finite) - min(finite) or abs(max(finite)) or 1.0)


def test_the_scale_stays_while_a_curve_creeps_on() -> None:
    curve = [value for _, value in _noisy(60)]
    scales = {bounds(curve[:count]) for count in range(30, 61)}
    assert len(scales) <= 3


def test_a_dense_curve_over_another_is_thinned_and_a_sparse_one_is_not() -> None:
    assert len(thinned(_noisy(300), 60, 300)) == 20
    sparse = [(24, 3.4), (48, 3.2)]
    assert thinned(sparse, 60, 72) == sparse


def test_it_shows_its_curves_their_names_and_its_scale() -> None:
    async def work(room: Room, chart: BlockChart, pilot: Pilot[None]) -> None:
        assert "nothing to draw yet" in chart.shown
        chart.show([("loss", _noisy(74)), ("eval", [(24, 3.4), (48, 3.2)]), ("sft-1", _noisy(74, 2))], 74)
        await pilot.pause()
        assert chart.shown.count("•") == 3  # Two points and the legend.
        assert "█ loss" in chart.shown
        assert "× sft-1" in chart.shown
        assert chart.shown.splitlines()[-1].split()[0] == "0"
        assert chart.shown.splitlines()[-1].endswith("74")
        chart.show([("loss", []), ("eval", [])], 74, empty="not yet")
        await pilot.pause()
        assert chart.shown == "not yet"

    _in_room(work)


def test_painting_all_of_it_and_one_more_step_cost_little() -> None:
    async def work(room: Room, chart: BlockChart, pilot: Pilot[None]) -> None:
        curve, other = _noisy(74), _noisy(74, 2)
        evaluated = [(24.0, 3.4), (48.0, 3.2), (72.0, 3.1)]
        chart.show([("loss", curve[:40]), ("eval", evaluated[:1]), ("sft-1", other)], 74)
        await pilot.pause()
        steps = []
        for count in range(41, 75):
            room.sent = 0
            chart.show([("loss", curve[:count]), ("eval", evaluated[: count // 24]), ("sft-1", other)], 74)
            await pilot.pause()
            steps.append(room.sent)
        assert sum(steps) / len(steps) < ONE_STEP
        assert max(steps) < WHOLE_CHART
        room.sent = 0
        chart.show([("loss", curve), ("eval", evaluated), ("sft-1", other)], 74)
        await pilot.pause()
        assert room.sent == 0  # Nothing has changed.
        chart.refresh()
        await pilot.pause()
        assert 0 < room.sent < WHOLE_CHART

    _in_room(work)


@pytest.mark.parametrize(
    "curve",
    [
        [(1, float("nan"))],
        [(1, float("inf")), (2, 3.0)],
        [(0, 0.0)],
        [(1, 5.0), (1, 5.0)],
        [(-3, 1.0), (1e12, -1e12)],
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (9, 3), (1, 1)])
def test_no_value_and_no_size_breaks_it(curve: list[tuple[float, float]], size: tuple[int, int]) -> None:
    async def work(room: Room, chart: BlockChart, pilot: Pilot[None]) -> None:
        chart.show([("loss", curve), ("eval", curve)], 0)
        await pilot.pause()

    _in_room(work, size)
