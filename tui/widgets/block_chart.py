"""Curves as monochrome blocks: few bytes over a slow link, and readable without color."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from tui.widgets.text import Part, Words

EIGHTHS = " ▁▂▃▄▅▆▇█"
Curve = Sequence[tuple[float, float]]
"""(step, value), by step."""


def blocks(curve: Curve, width: int, height: int, low: float, high: float, last_step: float) -> list[str]:
    """The area under a curve as rows of blocks, the top row first; each column is the mean of its steps."""
    columns: list[list[float]] = [[] for _ in range(width)]
    for step, value in curve:
        columns[min(width - 1, int(step / max(last_step, 1e-9) * width))].append(value)
    levels: list[int | None] = []
    held: float | None = None
    reached = max((place for place, values in enumerate(columns) if values), default=-1)
    for place, values in enumerate(columns):
        held = sum(values) / len(values) if values else held
        if held is None or place > reached:
            levels.append(None)
        else:
            share = (held - low) / (high - low) if high > low else 0.5
            levels.append(max(1, round(min(max(share, 0), 1) * height * 8)))
    rows = []
    for row in range(height - 1, -1, -1):
        rows.append("".join(" " if level is None else EIGHTHS[min(8, max(0, level - row * 8))] for level in levels))
    return rows


class BlockChart(Words):
    """One curve as blocks, and others over it as points, with their scale at the left."""

    POINTS = "•×+"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._curves: list[tuple[str, Curve]] = []
        self._last_step = 0.0

    def show(self, curves: Sequence[tuple[str, Curve]], last_step: float) -> None:
        """Draw named curves; the first one is the area. ``last_step`` is where the axis ends."""
        self._curves, self._last_step = [(name, curve) for name, curve in curves if curve], last_step
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = self.size.width - 8, self.size.height - 1
        values = [value for _, curve in self._curves for _, value in curve]
        if not values or width < 4 or height < 1:
            self.put(("nothing to draw yet", "$text-muted"))
            return
        low, high = min(values), max(values)
        low -= (high - low) * 0.05
        last = max(self._last_step, max(step for _, curve in self._curves for step, _ in curve))
        grid = [list(row) for row in blocks(self._curves[0][1], width, height, low, high, last)]
        for point, (_, curve) in zip(self.POINTS, self._curves[1:], strict=False):
            for step, value in curve:
                column = min(width - 1, int(step / max(last, 1e-9) * width))
                share = (value - low) / (high - low) if high > low else 0.5
                grid[height - 1 - min(height - 1, int(share * height))][column] = point
        parts: list[Part] = []
        for place, row in enumerate(grid):
            scale = f"{high:7.3g} " if place == 0 else f"{low:7.3g} " if place == height - 1 else " " * 8
            parts += [(scale, "$text-muted"), ("".join(row), "$primary"), "\n"]
        names = "   ".join(f"{mark} {name}" for mark, (name, _) in zip("█" + self.POINTS, self._curves, strict=False))
        parts.append(
            (f"{'0':>8}{names:^{max(1, width - len(f'{last:g}') - 1)}}{last:>{len(f'{last:g}') + 1}g}", "$text-muted")
        )
        self.put(*parts, layout=False)
