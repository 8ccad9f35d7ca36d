"""Every screen as it is painted, at two sizes: kept as text, and the same words in light, dark and without color.

``pytest --snapshot-update tests/tui/test_pictures_of_screens.py`` takes the pictures anew; look at the difference.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.review.decisions import Actor, Decision, decide
from core.workspace import Workspace
from tests.review_rows import fill
from tui.app import SCREENS, Options, Workbench
from tui.theme import DARK, LIGHT

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, 60)
    decisions = [Decision("m000001", "accept"), Decision("m000002", "reject", "off topic")]
    decide(workspace.database, Actor("person", "Nell"), decisions)
    return workspace


def paint(root: Path, screen: str, theme: str, size: tuple[int, int]) -> tuple[list[str], set[str]]:
    """The lines of a screen once it is filled, and the colors in them."""

    async def run() -> tuple[list[str], set[str]]:
        bench = Workbench(Options(folder=root, screen=screen, theme=theme))
        async with bench.run_test(size=size) as pilot:
            lines: list[str] = []
            for _ in range(60):  # Until two looks in a row are the same, the screen filled and its counts read.
                await pilot.pause(0.1)
                strips = bench.screen._compositor.render_strips()
                seen = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
                if bench.stage_now().ready and bench.tab_counts and seen == lines:
                    break
                lines = seen
            colors = {
                str(segment.style.color.name)
                for strip in strips
                for segment in strip
                if segment.style and segment.style.color
            }
        bench.close_lanes()
        return lines, colors

    return asyncio.run(run())


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_looks_as_it_did(
    queue: Workspace, screen: str, size: tuple[int, int], snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMULEE_KEYS", "/nonexistent/keys.toml")
    dark, dark_colors = paint(queue.root, screen, DARK, size)
    light, light_colors = paint(queue.root, screen, LIGHT, size)
    monkeypatch.setenv("NO_COLOR", "1")
    plain, _ = paint(queue.root, screen, DARK, size)
    shown = [line for line in dark if str(queue.root)[:20] not in line]
    assert "\n".join(shown) == snapshot
    same = [line for line in zip(dark, light, plain, strict=True) if "simulee-" not in line[0]]
    assert all(one == two == three for one, two, three in same)
    assert not dark_colors & light_colors - {"default"}
