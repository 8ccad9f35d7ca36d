"""The runs: what is at work, what ended and how, and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.runs.journal import load_run
from core.workspace import Workspace
from tui.widgets.line_list import LineList

DONE = {"chunks": 12, "added": 12, "removed": 0, "embedded": 12, "seconds": 1.5}
BROKEN = {"error": "the disk is full", "hint": "free some space", "exit_code": 1}


def _rows(seat: Any) -> list[str]:
    listed = seat.bench.stage_now().query_one("#list", LineList)
    return ["".join(part if isinstance(part, str) else part[0] for part in listed._row(n)) for n in range(listed.count)]


def test_without_a_run_it_says_what_runs_are(workspace: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        assert "no runs yet" in "\n".join(seat.painted)

    sit(workspace.root, "runs", work)


def test_the_newest_run_is_first_with_its_state_as_glyph_and_word(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    history(workspace, "embed", [("progress", {"done": 9, "total": 12, "rate": 3.0, "what": "x"})], "done", DONE)
    history(workspace, "embed", state="failed", result=BROKEN)
    history(workspace, "sft", [("progress", {"done": 3, "total": 9, "rate": 1.0, "what": "training"})])

    async def work(seat: Any) -> None:
        lost, failed, done = _rows(seat)
        assert "! sft-1" in lost
        assert "lost" in lost
        assert "3/9" in lost
        assert "✗ embed-2" in failed
        assert "the disk is full" in failed
        assert "✓ embed-1" in done
        assert "12 embedded" in done
        await seat.press("down")
        assert "free some space" in seat.shown

    sit(workspace.root, "runs", work)


def test_the_heads_stand_over_their_columns(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    history(workspace, "embed", [("progress", {"done": 9, "total": 12, "rate": 3.0, "what": "x"})], "done", DONE)

    async def work(seat: Any) -> None:
        heads = next(line for line in seat.painted if "progress" in line)
        row = next(line for line in seat.painted if "embed-1" in line and "done" in line)
        assert heads.index("run ") == row.index("embed-1")
        assert heads.index("state") == row.index("done")
        assert heads.index("progress") + len("progress") == row.index("9/12") + len("9/12")
        assert heads.index("started") == row.index("9/12") + len("9/12") + 2
        assert heads.index("what came of it") == row.index("12 chunks")

    sit(workspace.root, "runs", work)


def test_a_run_opened_shows_what_was_asked_its_error_its_hint_and_where_its_log_is(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    run = history(
        workspace, "embed", [("checkpoint", {"step": 7})], "failed", BROKEN, {"limit": 5, "use": None, "names": ["a"]}
    )
    (run.folder / "output.log").write_text("Traceback\n  ValueError: \x1b[2Jodd [/nope]\n", "utf-8")

    async def work(seat: Any) -> None:
        await seat.press("enter")
        await seat.until(lambda: "the disk is full" in seat.shown and "limit 5" in seat.shown)
        for words in ("to do    free some space", "limit 5 · names a", "checkpoint step=7", str(run.folder)):
            assert words in seat.shown
        assert "odd [/nope]" in "\n".join(seat.painted)
        assert "\x1b" not in "".join(seat.painted)
        await seat.press("end", "enter")  # The last line of the log in full.
        assert "One line of the log" in seat.shown
        await seat.press("x", "escape")
        assert len(_rows(seat)) == 1
        assert not seat.bench.stage_now().has_class("-one")

    sit(workspace.root, "runs", work)


def test_c_asks_the_run_to_stop_and_the_list_says_it_did(
    workspace: Workspace, history: Callable[..., Any], at_work: Callable[..., None], sit: Callable[..., None]
) -> None:
    run = history(workspace, "embed", [("progress", {"done": 1, "total": 4, "rate": 0.5, "what": "embedding"})])
    at_work(run)

    async def work(seat: Any) -> None:
        assert "● embed-1" in _rows(seat)[0]
        assert "running" in _rows(seat)[0]
        assert "25%" in _rows(seat)[0]
        assert "6 s to go" in _rows(seat)[0]
        await seat.press("c")
        await seat.until(lambda: "– embed-1" in _rows(seat)[0])
        assert "cancelled" in _rows(seat)[0]
        assert load_run(workspace.runs, run.id).state == "cancelled"
        await seat.press("c")
        assert "only a run that is at work" in seat.said

    sit(workspace.root, "runs", work)


def test_r_resumes_what_can_be_and_says_so_of_what_cannot(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    history(workspace, "embed", state="done", result=DONE)
    lost = history(workspace, "recall")

    async def work(seat: Any) -> None:
        await seat.press("r")
        # The entry of this history does not exist: the worker starts, and the run fails for good.
        await seat.until(lambda: load_run(workspace.runs, lost.id).state == "failed")
        await seat.until(lambda: "✗ recall-1" in _rows(seat)[0])
        await seat.press("down", "r")
        assert "nothing to resume" in seat.said

    sit(workspace.root, "runs", work)


def test_going_back_closes_a_run_before_the_screen(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    history(workspace, "embed", state="done", result=DONE)

    async def work(seat: Any) -> None:
        await seat.press("f11")
        await seat.until(lambda: seat.bench.stage_now().NAME == "runs")
        await seat.press("enter")
        await seat.until(lambda: seat.bench.stage_now().has_class("-one"))
        await seat.press("q")
        assert seat.bench.stage_now().NAME == "runs"
        assert not seat.bench.stage_now().has_class("-one")
        await seat.press("q")
        await seat.until(lambda: seat.bench.stage_now().NAME == "overview")

    sit(workspace.root, "overview", work)


def test_y_copies_the_id(workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]) -> None:
    history(workspace, "embed", state="done", result=DONE)

    async def work(seat: Any) -> None:
        await seat.press("y")
        assert seat.bench.clipboard == "embed-1"
        assert "copied embed-1" in seat.said

    sit(workspace.root, "runs", work)


def test_one_comes_back_to_the_run_one_left(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    for _ in range(3):
        history(workspace, "embed", state="done", result=DONE)

    async def leave(seat: Any) -> None:
        await seat.press("down", "down")
        seat.bench.remember_place()

    async def back(seat: Any) -> None:
        listed = seat.bench.stage_now().query_one("#list", LineList)
        assert _rows(seat)[listed.cursor].startswith(" ✓ embed-1")
        # A run that begins does not move the cursor to another one.
        history(workspace, "recall", state="done", result=DONE)
        await seat.until(lambda: listed.count == 4)
        assert _rows(seat)[listed.cursor].startswith(" ✓ embed-1")

    sit(workspace.root, "runs", leave)
    sit(workspace.root, "runs", back)


def test_a_hundred_runs_and_a_tiny_terminal(
    workspace: Workspace, history: Callable[..., Any], sit: Callable[..., None]
) -> None:
    for _ in range(100):
        history(workspace, "embed", state="failed", result={"error": "x" * 10_000, "hint": "[/nope]"})

    async def work(seat: Any) -> None:
        await seat.press("end", "enter", "escape")
        assert len(_rows(seat)) == 100

    for size in ((80, 24), (20, 5), (1, 1)):
        sit(workspace.root, "runs", work, size=size)
