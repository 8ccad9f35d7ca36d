"""Every screen as it is painted, at two sizes: kept as text, and the same words in light, dark and without color.

``pytest --snapshot-update tests/tui/test_pictures_of_screens.py`` takes the pictures anew; look at the difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color
from rich.segment import Segment

from core.review.decisions import Actor, Decision, decide
from core.workspace import Workspace
from tests.review_rows import fill
from tui.app import SCREENS, Options, Workbench
from tui.place import FILE
from tui.theme import DARK, LIGHT

SIZES = [(80, 24), (120, 40)]


@dataclass(frozen=True)
class Picture:
    """The lines of a screen once it is filled, and the colors in them."""

    lines: list[str]
    colors: set[str]
    faint: list[str]
    """Words that can hardly be told from their ground."""


Pictures = dict[tuple[str, tuple[int, int], str], Picture]
"""By screen, size, and how it is painted: a theme, or ``plain``."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace.create(tmp_path_factory.mktemp("pictures") / "ws", "Ada Marlow")
    fill(workspace.database, 60)
    decisions = [Decision("m000001", "accept"), Decision("m000002", "reject", "off topic")]
    decide(workspace.database, Actor("person", "Nell"), decisions)
    return workspace.root


@pytest.fixture(scope="module")
def pictures(root: Path) -> Pictures:
    """Every screen, each size in one sitting, and once more without color."""
    taken: Pictures = {}
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("SIMULEE_KEYS", "/nonexistent/keys.toml")
        for size in SIZES:
            asyncio.run(sit(root, size, (DARK, LIGHT), taken))
            settings.setenv("NO_COLOR", "1")
            asyncio.run(sit(root, size, ("plain",), taken))
            settings.delenv("NO_COLOR", raising=False)
    return taken


async def sit(root: Path, size: tuple[int, int], themes: Sequence[str], taken: Pictures) -> None:
    """Go to each screen, and take its picture in each theme."""
    for screen in SCREENS:
        (root / FILE).unlink(missing_ok=True)
        bench = Workbench(Options(folder=root, screen=screen))
        async with bench.run_test(size=size) as pilot:
            for theme in themes:
                if theme != "plain":
                    bench.theme = theme
                taken[screen, size, theme] = await settled(bench, pilot)
        bench.close_lanes()


async def settled(bench: Workbench, pilot: Any) -> Picture:
    """A picture, once two looks in a row are the same, the screen is filled and its counts are read."""
    lines: list[str] = []
    strips = []
    for _ in range(60):
        await pilot.pause(0.1)
        strips = bench.screen._compositor.render_strips()
        seen = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
        if bench.stage_now().ready and bench.tab_counts and seen == lines:
            break
        lines = seen
    styles = {segment.style for strip in strips for segment in strip if segment.style}
    colors = {color.name for style in styles for color in (style.color, style.bgcolor) if color}
    faint = [segment.text.strip() for strip in strips for segment in strip if is_faint(segment)]
    return Picture(lines, colors, faint)


def is_faint(segment: Segment) -> bool:
    """Whether words have less than 3 to 1 of contrast, as the Web Content Accessibility Guidelines measure it.

    Lines and blocks of a chart or a scroll bar are no words.
    """
    style = segment.style
    if not any(map(str.isalnum, segment.text)) or style is None or style.color is None or style.bgcolor is None:
        return False
    if style.color.is_default or style.bgcolor.is_default:
        return False
    bright, dark = sorted(map(luminance, (style.color, style.bgcolor)), reverse=True)
    return (bright + 0.05) / (dark + 0.05) < 3


def luminance(color: Color) -> float:
    """Of a color as the terminal shows it, 0 to 1."""
    parts = [part / 255 for part in color.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_looks_as_it_did(
    pictures: Pictures, root: Path, screen: str, size: tuple[int, int], snapshot: Any
) -> None:
    dark, light, plain = (pictures[screen, size, theme] for theme in (DARK, LIGHT, "plain"))
    shown = [line for line in dark.lines if str(root)[:20] not in line]
    assert "\n".join(shown) == snapshot
    same = [line for line in zip(dark.lines, light.lines, plain.lines, strict=True) if "simulee-" not in line[0]]
    assert all(one == two == three for one, two, three in same)
    assert not dark.colors & light.colors - {"default"}
    assert plain.colors <= {"default"}
    assert dark.faint == light.faint == []
