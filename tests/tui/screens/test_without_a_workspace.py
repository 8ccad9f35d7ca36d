"""Where no workspace is open, every screen says how to get one, and no key is dead or breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.app import SCREENS
from tui.keys import ACTIONS
from tui.loop.defects import LOG_FILE
from tui.screens.stage import Stage
from tui.widgets.boxes import ErrorBox
from tui.widgets.frame import KeyLine

STARTS_A_PROGRAM = {"settings.doctor", "overview.sample"}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("VISUAL", "true")
    return folder


@pytest.mark.parametrize("screen", SCREENS)
def test_every_key_of_a_screen_does_something_that_makes_sense(nowhere: Path, sit: Any, screen: str) -> None:
    async def work(seat: Any) -> None:
        for action in ACTIONS:
            if action.where != screen or action.id in STARTS_A_PROGRAM:
                continue
            seat.bench.stage_now().set_focus(None)
            await seat.press(action.keys.split(",")[0])
            if isinstance(seat.bench.screen, ErrorBox):
                assert "defect" not in seat.shown, (action.id, seat.shown)
            while not isinstance(seat.bench.screen, Stage):
                await seat.press("escape")
            here = seat.bench.stage_now().NAME
            assert here == screen, action.id
        assert not (nowhere.parent / LOG_FILE).exists()

    sit(None, screen, work)


@pytest.mark.parametrize("screen", ["import", "review", "dataset", "train", "evaluate", "chat", "journal", "runs"])
def test_only_keys_that_need_no_workspace_are_told_and_the_others_say_what_they_need(
    nowhere: Path, sit: Any, screen: str
) -> None:
    own = [action for action in ACTIONS if action.where == screen and action.footer]

    async def work(seat: Any) -> None:
        seat.bench.stage_now().set_focus(None)
        await seat.settle()
        told = seat.bench.stage_now().query_one(KeyLine).shown
        assert not [action.id for action in own if f" {action.shown_key} {action.label} " in told]
        assert "shows the ways in" in " ".join(" ".join(seat.painted).split())
        await seat.press(own[0].keys.split(",")[0])
        assert "g o shows the ways in" in seat.said

    sit(None, screen, work)
