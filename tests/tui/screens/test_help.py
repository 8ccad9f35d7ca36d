"""The help: every key of every screen, what the signs mean, where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.workspace import Workspace
from tui.app import Options, Workbench
from tui.keys import ACTIONS, Keymap, shown
from tui.widgets.line_list import LineList


def top(seat: Any) -> str:
    """The first line of the body."""
    return str(seat.painted[2].strip(" ▁▂▃▄▅▆▇█"))


def test_every_action_is_told_with_its_keys(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        told = [line.strip() for line in seat.shown.splitlines()]
        for action in ACTIONS:
            keys = " ".join(map(shown, action.keys.split(",")))
            assert any(line.startswith(keys) and line.endswith(action.label) for line in told), action

    sit(workspace.root, "help", work, size=(100, 30))


def test_the_keys_of_the_screen_one_came_from_stand_before_the_others(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.press("f12")
        await seat.until(lambda: seat.bench.stage_now().NAME == "settings")
        await seat.press("f1")
        await seat.until(lambda: seat.bench.stage_now().NAME == "help")
        lines = seat.shown.splitlines()
        assert lines.index("Settings") < lines.index("Everywhere") < lines.index("Review")
        await seat.press("q")
        await seat.until(lambda: seat.bench.stage_now().NAME == "settings")

    sit(workspace.root, "overview", work)


def test_it_tells_signs_places_and_how_to_leave(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        for words in ("ends the workbench", "running", "cancelled", "persona.db", str(workspace.root), "keys.toml",
                      "hidden or control"):  # fmt: skip
            assert words in seat.shown, words

    sit(workspace.root, "help", work, size=(160, 40))


def test_parts_are_walked_by_key(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        assert top(seat) == "How to leave"
        await seat.press("right_square_bracket", "n")
        assert top(seat) == "Everywhere"
        await seat.press("left_square_bracket")
        assert top(seat) == "Overview"
        await seat.press("p", "p", "p")
        assert top(seat) == "How to leave"
        await seat.press("j")
        assert seat.bench.screen.query_one(LineList).cursor == 1

    sit(workspace.root, "help", work)


def test_own_keys_are_told(workspace: Workspace) -> None:
    import asyncio

    async def run() -> str:
        bench = Workbench(
            Options(folder=workspace.root, screen="help"), Keymap({"review.accept": "f6,enter", "app.train": "f20"})
        )
        async with bench.run_test() as pilot:
            await pilot.pause()
            lines = bench.screen.query_one(LineList)
            rows = ["".join(part if isinstance(part, str) else str(part[0]) for part in lines._row(place))
                    for place in range(lines.count)]  # fmt: skip
        bench.close_lanes()
        return "\n".join(rows)

    told = asyncio.run(run())
    assert "f6 enter" in told


def test_it_needs_no_workspace(tmp_path: Path, sit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def work(seat: Any) -> None:
        assert "Everywhere" in seat.shown

    sit(None, "help", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_it_lives_at_any_size(workspace: Workspace, sit: Any, size: tuple[int, int]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("n", "n", "end", "p")

    sit(workspace.root, "help", work, size=size)
