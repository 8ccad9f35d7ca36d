"""A defect is shown with its log and the rest goes on; where it cannot, the exit code and one line say so."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.workspace import Workspace
from tests.pty_terminal import Terminal
from tui.app import Options, Workbench
from tui.loop.defects import LOG_FILE
from tui.screens.overview.screen import OverviewScreen
from tui.widgets.boxes import ErrorBox

BROKEN_SCREEN = """
import sys
from pathlib import Path
from tui.app import Options, open_workbench
from tui.keys import Keymap
from tui.widgets.card_view import CardView
def broken(self, y):
    raise ZeroDivisionError("a broken line [/nope]")
CardView.render_line = broken
sys.exit(open_workbench(Options(folder=Path(sys.argv[1]), screen="review"), Keymap()))
"""


def sit(root: Path, work: Callable[[Workbench, Any], Any]) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=root, screen="overview"))
        async with bench.run_test() as pilot:
            while not bench.stage_now().ready:
                await pilot.pause(0.05)
            await work(bench, pilot)
        bench.close_lanes()

    asyncio.run(run())


async def box(bench: Workbench, pilot: Any) -> str:
    for _ in range(100):
        if isinstance(bench.screen, ErrorBox):
            await pilot.pause()
            return "\n".join("".join(part.text for part in line) for line in bench.screen._compositor.render_strips())
        await pilot.pause(0.05)
    raise AssertionError("no panel came")


def test_an_error_in_a_worker_shows_a_panel_and_its_log_and_the_app_lives(workspace: Workspace) -> None:
    async def work(bench: Workbench, pilot: Any) -> None:
        async def breaks() -> None:
            raise ValueError("odd [/nope] \x1b[31mred")

        bench.do(breaks())
        shown = await box(bench, pilot)
        assert "ValueError: odd [/nope] ␛[31mred" in shown
        assert LOG_FILE in re.sub(r"[│\s]+", "", shown)
        await pilot.press("escape", "f12")
        await pilot.pause(0.2)
        assert bench.stage_now().NAME == "settings"
        assert bench.return_code in (None, 0)

    sit(workspace.root, work)
    log = workspace.root / LOG_FILE
    assert "ValueError: odd" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o077 == 0


def test_a_log_that_cannot_be_written_is_not_named(workspace: Workspace) -> None:
    (workspace.root / LOG_FILE).mkdir()

    async def work(bench: Workbench, pilot: Any) -> None:
        async def breaks() -> None:
            raise ValueError("odd")

        bench.do(breaks())
        shown = await box(bench, pilot)
        assert "ValueError: odd" in shown
        assert "the log" not in shown

    sit(workspace.root, work)


def test_an_error_in_a_thread_of_a_widget_is_shown_too(workspace: Workspace) -> None:
    async def work(bench: Workbench, pilot: Any) -> None:
        def breaks() -> None:
            raise OSError("gone")

        bench.stage_now().run_worker(breaks, thread=True)
        assert "OSError: gone" in await box(bench, pilot)

    sit(workspace.root, work)


def test_an_error_in_what_a_key_does_is_shown_and_the_next_key_works(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(self: OverviewScreen) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(OverviewScreen, "action_refresh", breaks)

    async def work(bench: Workbench, pilot: Any) -> None:
        await pilot.press("r")
        assert "KeyError" in await box(bench, pilot)
        await pilot.press("enter", "question_mark")
        await pilot.pause(0.2)
        assert "Keys of Overview" in str(bench.screen._title)

    sit(workspace.root, work)


def test_a_screen_that_cannot_be_painted_ends_with_code_1_and_the_path_of_the_log(workspace: Workspace) -> None:
    terminal = Terminal([sys.executable, "-c", BROKEN_SCREEN, str(workspace.root)])
    try:
        assert terminal.wait(60) == 1
        assert b"the screen broke: ZeroDivisionError" in terminal.output
        assert b"\x1b[?1049l" in terminal.output
        told = re.sub(r"\s+", " ", terminal.output.decode("utf-8", "replace"))
        log = re.search(r"the log is (\S+\.log)", told)
        assert log is not None
        assert "a broken line" in Path(log[1]).read_text("utf-8")
    finally:
        terminal.close()


def test_a_clash_in_the_keys_is_one_line_that_names_both(workspace: Workspace, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('"review.accept" = "x"\n', "utf-8")
    command = [sys.executable, "-c", "from tui.cli import main; main()", "-w", str(workspace.root)]
    terminal = Terminal(command, SIMULEE_KEYS=str(keys))
    try:
        assert terminal.wait(60) == 2
        assert "review.accept" in terminal.text
        assert "review.reject" in terminal.text
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--screen", "cellar"], "there is no screen 'cellar'", 2),
        (["--theme", "cellar"], "there is no theme 'cellar'", 2),
        (["-w", "cellar"], "cellar does not exist", 1),
        (["--screen"], "requires an argument", 2),
        (["-w", ".", "formats"], "not for `formats`", 2),
    ],
)
def test_wrong_options_are_one_line_and_nothing_is_opened(
    workspace: Workspace, tmp_path: Path, arguments: list[str], words: str, code: int
) -> None:
    command = [sys.executable, "-c", "from tui.cli import main; main()", *arguments]
    terminal = Terminal(command, cwd=workspace.root)
    try:
        assert terminal.wait(60) == code
        assert words in terminal.text
        assert b"\x1b[?1049h" not in terminal.output
    finally:
        terminal.close()
