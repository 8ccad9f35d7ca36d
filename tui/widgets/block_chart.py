"""Curves as monochrome blocks: few bytes over a slow link, and readable without color."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from tui.widgets.text import Part, line

EIGHTHS = " ▁▂▃▄▅▆▇█"
Curve = Sequence[tuple[float, float]]
"""(step, value), by step."""
SCALE_WIDTH = 6
"""Columns for the scale at the left."""
POINT_EVERY = 3
"""Columns between two points of a dense curve, each the mean of its steps."""
REVERSED_FROM = 12
"""Full blocks in a row from which reversed spaces take fewer bytes: a block takes three, a change of style about 40."""

_RUNS = re.compile(rf"█{{{REVERSED_FROM},}}|•+|(?:(?!█{{{REVERSED_FROM},}})[^•])+")


def blocks(curve: Curve, width: int, height: int, low: float, high: float, last_step: float) -> list[str]:
    """The area under a curve as rows of blocks, the top row first; each column is the mean of its steps."""
    columns: list[list[float]] = [[] for _ in range(width)]
    for step, value in curve:
        columns[_column(step, last_step, width)].append(value)
    levels: list[int | None] = []
    held: float | None = None
    reached = max((place for place, values in enumerate(columns) if values), default=-1)
    for place, values in enumerate(columns):
        held = sum(values) / len(values) if values else held
        if held is None or place > reached:
            levels.append(None)
        else:
            levels.append(max(1, round(min(max(_share(held, low, high), 0), 1) * height * 8)))
    rows = []
    for row in range(height - 1, -1, -1):
        rows.append("".join(" " if level is None else EIGHTHS[min(8, max(0, level - row * 8))] for level in levels))
    return rows


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Round ends for a scale that holds these values: they stay while a curve creeps on, so that little is repainted.

    Raises ValueError when no value is finite.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    room = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(room))
    step = next(size for size in (step / 5, step / 2, step) if room / size <= 10)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    if bottom == top:
        bottom, top = bottom - step, top + step
    # A curve at the very bottom would have no height.
    return (bottom - step if low - bottom < step / 8 else bottom), top


def thinned(curve: Curve, width: int, last_step: float) -> Curve:
    """A curve with at most one point every few columns; one with fewer points stays as it is."""
    if len(curve) <= width // POINT_EVERY:
        return curve
    buckets: dict[int, list[tuple[float, float]]] = {}
    for step, value in curve:
        buckets.setdefault(_column(step, last_step, width) // POINT_EVERY, []).append((step, value))
    return [
        (sum(step for step, _ in points) / len(points), sum(value for _, value in points) / len(points))
        for points in buckets.values()
    ]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _column(step: float, last_step: float, width: int) -> int:
    return max(0, min(width - 1, int(step / max(last_step, 1e-9) * width)))


class BlockChart(Widget):
    """One curve as blocks, and others over it as points, with their scale at the left.

    Only the cells that changed are painted again.
    """

    POINTS = "•×+"
    POINT_STYLES = ("bold $accent", "$primary")
    """Of the first points, and of all else: overlays have many points, and every change of style costs bytes."""
    DEFAULT_CSS = "BlockChart { height: 1fr; }"

    def __init__(self, id: str | None = None, empty: str = "nothing to draw yet") -> None:
        super().__init__(id=id)
        self._curves: list[tuple[str, Curve]] = []
        self._last_step = 0.0
        self._empty = empty
        self._rows: list[tuple[str, str]] = []
        """Each row's scale and cells."""
        self._foot = ""

    def show(self, curves: Sequence[tuple[str, Curve]], last_step: float, empty: str = "") -> None:
        """Draw named curves; the first one is the area. ``last_step`` is where the axis ends."""
        finite: list[tuple[str, Curve]] = [
            (name, [(step, value) for step, value in curve if math.isfinite(value) and math.isfinite(step)])
            for name, curve in curves
        ]
        self._curves, self._last_step = finite, last_step
        self._empty = empty or self._empty
        self._draw()

    @property
    def shown(self) -> str:
        """What is shown, without styles."""
        if not self._rows:
            return self._empty
        return "\n".join([*(scale + cells for scale, cells in self._rows), self._foot])

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        before, foot, self._rows, self._foot = self._rows, self._foot, [], ""
        width, height = self.size.width - SCALE_WIDTH - 1, self.size.height - 1
        if any(curve for _, curve in self._curves) and width >= 4 and height >= 1:
            self._lay_out(width, height)
        if len(before) != len(self._rows) or not before:
            self.refresh()
            return
        for y, ((old_scale, old), (scale, cells)) in enumerate(zip(before, self._rows, strict=True)):
            if old_scale != scale or len(old) != len(cells):
                self.refresh(Region(0, y, self.size.width, 1))
            elif old != cells:
                changed = [column for column, (a, b) in enumerate(zip(old, cells, strict=True)) if a != b]
                first = SCALE_WIDTH + 1 + changed[0]
                self.refresh(Region(first, y, changed[-1] - changed[0] + 1, 1))
        if foot != self._foot:
            self.refresh(Region(0, len(self._rows), self.size.width, 1))

    def _lay_out(self, width: int, height: int) -> None:
        low, high = bounds([value for _, curve in self._curves for _, value in curve])
        last = max(self._last_step, max(step for _, curve in self._curves for step, _ in curve))
        grid = [list(row) for row in blocks(self._curves[0][1], width, height, low, high, last)]
        for point, (_, curve) in zip(self.POINTS, self._curves[1:], strict=False):
            for step, value in thinned(curve, width, last):
                row = min(height - 1, int(_share(value, low, high) * height))
                grid[height - 1 - row][_column(step, last, width)] = point
        labels = {0: high, height - 1: low}
        if height >= 5:
            labels[height // 2] = low + (high - low) * (height - 1 - height // 2) / (height - 1)
        self._rows = [
            (f"{labels[place]:{SCALE_WIDTH}.3g} " if place in labels else " " * (SCALE_WIDTH + 1), "".join(row))
            for place, row in enumerate(grid)
        ]
        names = "  ".join(
            f"{mark} {name}" for mark, (name, curve) in zip("█" + self.POINTS, self._curves, strict=False) if curve
        )
        end = f"{last:g}"
        self._foot = f"{'0':>{SCALE_WIDTH + 2}}{names[: max(0, width - len(end) - 2)]:^{width - len(end) - 1}}{end}"

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        style = self.visual_style
        parts: list[Part]
        if not self._rows:
            if y:
                return Strip.blank(width, style.rich_style)
            parts = [(self._empty, "$quiet")]
        elif y < len(self._rows):
            scale, cells = self._rows[y]
            parts = [(scale, "$quiet"), *self._styled(cells.rstrip())]
        elif y == len(self._rows):
            parts = [(self._foot, "$quiet")]
        else:
            return Strip.blank(width, style.rich_style)
        fitted = line(*parts).truncate(width, ellipsis=False, pad=True)
        return Visual.to_strips(self, fitted, width, 1, style)[0]

    def _styled(self, cells: str) -> list[Part]:
        """Runs of blocks in one style, points in theirs."""
        parts: list[Part] = []
        for run in _RUNS.findall(cells):
            if run[0] == "█" and len(run) >= REVERSED_FROM:
                parts.append((" " * len(run), "reverse $primary"))
            else:
                parts.append((run, self.POINT_STYLES[0] if run[0] == self.POINTS[0] else self.POINT_STYLES[1]))
        return parts
