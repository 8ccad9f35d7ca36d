"""The frame: the keys below, the tabs above, and going back."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.store.decisions import list_decisions
from core.workspace import Workspace
from tests.review_rows import fill
from tui.app import Options, Workbench
from tui.keys import ACTIONS, GO_KEYS
from tui.place import FILE
from tui.widgets.palette import Palette

Sit = Callable[..., None]


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, 60)
    return workspace


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
def test_the_key_that_shows_every_key_is_there_when_not_all_have_room(
    queue: Workspace, sit: Sit, size: tuple[int, int]
) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "accept" in seat.painted[-1])
        assert "? keys" in seat.painted[-1]

    sit(queue.root, "review", work, size=size)


def test_keys_that_write_are_not_told_while_one_writes(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "space later" in seat.painted[-1])
        await seat.press("e")
        assert "leave the input" in seat.painted[-1]
        assert "space" not in seat.painted[-1]
        assert "? keys" not in seat.painted[-1]

    sit(queue.root, "review", work)


@pytest.mark.parametrize("screen", ["overview", "chat", "settings", "help"])
@pytest.mark.parametrize("width", [80, 40, 24])
def test_the_tab_one_is_at_is_in_sight(queue: Workspace, sit: Sit, screen: str, width: int) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: bool(seat.bench.tab_counts))
        assert screen.capitalize() in seat.painted[1]

    sit(queue.root, screen, work, size=(width, 12))


def test_going_back_from_the_first_screen_says_how_to_leave(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("q")
        assert "^q ends the workbench" in seat.said

    sit(queue.root, "overview", work)


def test_the_way_out_of_an_input_is_told_by_its_own_key(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "space later" in seat.painted[-1])
        await seat.press("e")
        assert "f20 leave the input" in seat.painted[-1]

    sit(queue.root, "review", work, keys={"app.leave": "f20"})


def test_going_back_leads_somewhere_else_after_another_workspace_was_opened_elsewhere(
    queue: Workspace, sit: Sit, tmp_path: Path
) -> None:
    other = Workspace.create(tmp_path / "other", "Other")
    (other.root / FILE).write_text('{"app": {"screen": "import"}}', "utf-8")

    async def work(seat: Any) -> None:
        await seat.press("f12", "f3", "f2")
        await seat.bench.open_workspace(other.root)
        await seat.until(lambda: seat.bench.stage_now().NAME == "import")
        await seat.press("q")
        assert seat.bench.stage_now().NAME == "settings"
        await seat.press("q", "q")
        assert seat.bench.stage_now().NAME == "overview"
        assert "no screen came before" in seat.said

    sit(queue.root, "", work)


def test_who_went_somewhere_before_the_workspace_was_open_is_not_taken_away(
    queue: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (queue.root / FILE).write_text('{"app": {"screen": "runs"}}', "utf-8")

    async def run(meanwhile: str) -> str:
        bench = Workbench(Options(folder=queue.root))
        find, gone = bench._find_workspace, threading.Event()

        def found() -> Workspace:
            gone.wait(20)
            return find()

        monkeypatch.setattr(bench, "_find_workspace", found)
        async with bench.run_test() as pilot:
            if meanwhile:
                bench.go_to(meanwhile)
                await pilot.pause()
            gone.set()
            while not bench.stage_now().ready:
                await pilot.pause(0.02)
            name = bench.stage_now().NAME
        bench.close_lanes()
        return name

    assert asyncio.run(run("")) == "runs"
    assert asyncio.run(run("import")) == "import"


def test_every_screen_comes_by_its_own_key_and_by_two(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        for action in ACTIONS:
            if action.where == "app" and action.name in GO_KEYS.values():
                await seat.press(action.keys)
                there = seat.bench.stage_now()
                assert action.name == there.NAME
                words = "esc leave the input" if action.name == "journal" else action.label  # An empty page.
                await seat.until(lambda words=words: words.casefold() in "\n".join(seat.painted).casefold())
        for key, name in GO_KEYS.items():
            await seat.press("escape", "g", key)
            there = seat.bench.stage_now()
            assert name == there.NAME

    sit(queue.root, "overview", work)


def test_the_palette_does_what_is_chosen_in_it(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("colon")
        await seat.until(lambda: isinstance(seat.bench.screen, Palette))
        await seat.press(*"Runs")
        await seat.until(lambda: any("Runs" in line and "F11" in line.upper() for line in seat.painted))
        await seat.press("enter", "enter")
        await seat.until(lambda: seat.bench.stage_now().NAME == "runs")
        await seat.until(lambda: seat.bench.screen is seat.bench.stage_now())

    sit(queue.root, "review", work)


def test_the_palette_holds_every_action_and_leads_to_one_of_another_screen(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        commands = [*seat.bench.get_system_commands(seat.bench.screen)]
        assert {each.help for each in commands} == {action.id for action in ACTIONS}
        assert {each.help.split(".")[0] for each in commands if each.discover} == {"review", "app"}
        await seat.press("colon")
        await seat.until(lambda: isinstance(seat.bench.screen, Palette))
        await seat.press(*"check everything")
        await seat.until(lambda: any("check everything · Settings (c)" in line for line in seat.painted))
        await seat.press("enter", "enter")
        await seat.until(lambda: seat.bench.stage_now().NAME == "settings")
        await seat.until(lambda: seat.said.strip() == "c: check everything")

    sit(queue.root, "review", work)
    assert not list_decisions(queue.database)


def test_the_way_out_leaves_with_zero_and_remembers_the_screen(queue: Workspace) -> None:
    async def run() -> Workbench:
        bench = Workbench(Options(folder=queue.root))
        async with bench.run_test() as pilot:
            while not bench.stage_now().ready:
                await pilot.pause(0.02)
            await pilot.press("f11")
            await pilot.press("ctrl+q")
            await pilot.pause()
        bench.close_lanes()
        return bench

    assert asyncio.run(run()).return_code == 0
    assert json.loads((queue.root / FILE).read_text("utf-8"))["app"]["screen"] == "runs"


def test_the_collector_of_garbage_rests_until_the_first_paint_and_not_longer(queue: Workspace) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=queue.root))
        async with bench.run_test() as pilot:
            while not bench.stage_now().ready:
                await pilot.pause(0.02)
        bench.close_lanes()

    gc.disable()
    try:
        asyncio.run(run())
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
