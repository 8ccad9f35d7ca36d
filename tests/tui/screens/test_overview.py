"""The overview: where one stands, the next step, and the ways in when there is no workspace."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.beginning import SAMPLE_NAME, make_empty, make_sample, next_step, workspaces_in
from core.corpus.journal import save_entry
from core.errors import SimuleeError, UsageError
from core.runs import control
from core.runs.control import run_to_end
from core.runs.journal import Run
from core.store.documents import list_documents
from core.store.scorecards import put_scorecard
from core.store.sessions import begin_session
from core.workspace import Workspace
from tests.review_rows import PER_EXCHANGE, fill
from tui.loop.defects import LOG_FILE
from tui.screens.importing.asking import look_at_line
from tui.widgets.boxes import AskBox, ChoiceBox, ErrorBox
from tui.widgets.text import Words


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a workspace in it or above it."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_it_shows_the_pipeline_and_goes_where_the_next_step_is_done(
    workspace: Workspace, sit: Any, import_paths: Any, write_interview: Any
) -> None:
    import_paths(workspace, [write_interview("2012-01-01", [("Do maps lie?", "They argue.")])])

    async def work(seat: Any) -> None:
        await seat.until(lambda: "Corpus" in seat.shown)
        for stage in ("Corpus", "Recall", "Dataset", "Training", "Fidelity", "Twin", "Next"):
            assert stage in seat.shown
        assert "passages" in next(line for line in seat.shown.splitlines() if "Next" in line)
        assert "import-1 done" in seat.shown
        await seat.press("enter")
        await seat.until(lambda: seat.bench.stage_now().NAME == "import")

    sit(workspace.root, "overview", work)


def test_it_looks_again(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "Corpus" in seat.shown)
        before = seat.shown
        save_entry(workspace, "Salt again")
        await seat.press("r")
        await seat.until(lambda: seat.shown != before)
        assert "1 document" in seat.shown

    sit(workspace.root, "overview", work)


def test_an_empty_workspace_shows_its_ways_on_until_something_is_in_it(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "import a folder or a file" in seat.shown)
        ways = seat.bench.stage_now().query_one("#next", Words).shown.splitlines()
        assert [line[13:].split()[0] for line in ways] == ["enter", "d", "o"]
        assert "try the sample" in seat.painted[-1]
        assert "open a workspace" in seat.painted[-1]
        save_entry(workspace, "Salt again")
        await seat.press("r")
        await seat.until(lambda: "1 document" in seat.shown)
        assert "try the sample" not in seat.painted[-1]
        assert "sample" not in seat.bench.stage_now().query_one("#next", Words).shown

    sit(workspace.root, "overview", work)


def test_one_is_told_as_one(workspace: Workspace, sit: Any) -> None:
    fill(workspace.database, PER_EXCHANGE)
    with workspace.database.write():
        workspace.database.execute("DELETE FROM judgement WHERE memory_id > 1")
        workspace.database.execute("DELETE FROM memory WHERE id > 1")
        begin_session(workspace.database, None, "", "2024-05-02T10:00:00+00:00")

    async def work(seat: Any) -> None:
        await seat.until(lambda: "1 memory · 1 waiting for you" in seat.shown)
        assert "review the 1 memory that waits for you" in seat.shown
        assert re.search(r"Twin +1 session\b", seat.shown)

    sit(workspace.root, "overview", work)


def test_the_last_scorecard_tells_the_twin_beside_the_ladder_with_its_unit(workspace: Workspace, sit: Any) -> None:
    bits = {"b0": 6.054, "b2": 5.804, "b3": 5.389, "b4": 5.278, "b4-shuffled": 5.391, "b4-control": 5.712}
    systems = {name: {"metrics": {"bits_per_token": {"value": value}}} for name, value in bits.items()}
    with workspace.database.write():
        put_scorecard(workspace.database, None, None, {"systems": systems}, "2024-05-02T10:00:00+00:00")

    async def work(seat: Any) -> None:
        await seat.until(lambda: "b4 5.28 bits/token (b0 6.05, b2 5.80, b3 5.39)" in "\n".join(seat.painted))

    sit(workspace.root, "overview", work)


def test_without_a_workspace_there_are_three_ways_in(nowhere: Path, sit: Any) -> None:
    async def work(seat: Any) -> None:
        assert "Three ways in" in seat.shown
        assert "try the sample" in seat.painted[-1]
        assert "next step" not in seat.painted[-1]

    sit(None, "overview", work)


@pytest.mark.parametrize(
    ("file", "words"), [("persona.toml", "is not valid TOML"), ("persona.db", "is not a readable database")]
)
def test_a_workspace_that_cannot_be_opened_says_why_and_what_to_do_whole(
    workspace: Workspace, sit: Any, file: str, words: str
) -> None:
    (workspace.root / file).write_text("name = ")

    async def work(seat: Any) -> None:
        assert seat.bench.trouble is not None
        painted = " ".join(" ".join(seat.painted[2:-2]).split())
        assert "There is no workspace here" not in painted
        assert words in painted
        assert seat.bench.trouble.hint in painted
        assert ("f12 e opens it" in painted) == (file == "persona.toml")
        assert "d try the sample" in painted

    sit(workspace.root, "overview", work)


def test_an_open_workspace_is_left_for_the_sample_only_when_that_is_said(
    workspace: Workspace, nowhere: Path, sit: Any
) -> None:
    async def work(seat: Any) -> None:
        await seat.press("d")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("enter")
        assert seat.bench.workspace.root == workspace.root

    sit(workspace.root, "overview", work)
    assert not (nowhere / SAMPLE_NAME).exists()


def test_a_row_without_room_shows_no_half_of_a_number(
    workspace: Workspace, sit: Any, import_paths: Any, write_interview: Any
) -> None:
    import_paths(workspace, [write_interview("2012-01-01", [("Do maps lie?", "They argue.")])])

    async def work(seat: Any) -> None:
        await seat.until(lambda: "Corpus" in seat.shown)
        assert not any(re.search(r"\d…", line) for line in seat.painted)

    for width in range(44, 84, 4):
        sit(workspace.root, "overview", work, size=(width, 24))


def test_an_empty_workspace_is_made_and_opened(nowhere: Path, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.press("n")
        await seat.until(lambda: isinstance(seat.bench.screen, AskBox))
        await seat.press(*"Ada", "enter")
        await seat.until(lambda: seat.bench.workspace is not None)
        await seat.until(lambda: "Corpus" in seat.shown)
        assert seat.bench.target == "Ada"
        assert "do the next step" in seat.painted[-1]

    sit(None, "overview", work)
    assert Workspace.find(nowhere / "Ada").target == "Ada"


def test_a_taken_folder_is_told_and_nothing_is_opened(nowhere: Path, sit: Any) -> None:
    (nowhere / "Ada").mkdir()
    (nowhere / "Ada" / "mine").touch()

    async def work(seat: Any) -> None:
        await seat.press("n")
        await seat.until(lambda: isinstance(seat.bench.screen, AskBox))
        await seat.press(*"Ada", "enter")
        await seat.until(lambda: isinstance(seat.bench.screen, ErrorBox))
        assert "not empty" in seat.shown
        assert seat.bench.workspace is None

    sit(None, "overview", work)
    with pytest.raises(UsageError):
        make_empty("  ", nowhere)


def test_a_workspace_that_is_there_is_opened(nowhere: Path, sit: Any) -> None:
    Workspace.create(nowhere / "one", "One")
    Workspace.create(nowhere / "two", "Two")
    elsewhere = Workspace.create(nowhere / "deep" / "three", "Three")
    assert workspaces_in(nowhere) == [nowhere / "one", nowhere / "two"]

    async def choose(seat: Any) -> None:
        await seat.press("o")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("2")
        await seat.until(lambda: seat.bench.target == "Two")

    async def name(seat: Any) -> None:
        await seat.press("o")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("3")
        await seat.until(lambda: isinstance(seat.bench.screen, AskBox))
        await seat.press(*"deep/three", "enter")
        await seat.until(lambda: seat.bench.workspace is not None)
        assert seat.bench.workspace.root == elsewhere.root
        await seat.press("o")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("1")
        await seat.until(lambda: seat.bench.target == "One")
        await seat.press("f12")
        await seat.until(lambda: str(nowhere / "one") in seat.shown)

    sit(None, "overview", choose)
    sit(None, "overview", name)


@pytest.mark.parametrize("key", ["f3", "f4", "f5", "f6", "f7", "f8", "f9", "f11", "f12"])
def test_what_another_screen_still_reads_for_the_workspace_before_breaks_nothing(
    nowhere: Path, sit: Any, key: str
) -> None:
    one = Workspace.create(nowhere / "one", "One")
    Workspace.create(nowhere / "two", "Two")

    async def work(seat: Any) -> None:
        async with seat.reads_wait():
            await seat.press(key, "f2", "o")
            await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
            await seat.press("2")
            await seat.until(lambda: seat.bench.target == "Two")
        assert seat.bench.screen is seat.bench.stage("overview"), seat.shown

    sit(one.root, "overview", work)
    assert not list(nowhere.rglob(LOG_FILE))


def test_a_look_for_an_import_into_the_workspace_before_breaks_nothing(
    nowhere: Path, sit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Workspace.create(nowhere / "one", "One")
    Workspace.create(nowhere / "two", "Two")
    ended = threading.Event()

    def look(line: str, formats: Any, options: Any, stop: threading.Event, seen: list[int]) -> Any:
        try:
            stop.wait(60)
            return look_at_line(line, formats, options, stop, seen)
        finally:
            ended.set()

    monkeypatch.setattr("tui.screens.importing.screen.look_at_line", look)

    async def work(seat: Any) -> None:
        await seat.press("f3", "slash", *"one", "enter", "f2", "o")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("2")
        await seat.until(lambda: seat.bench.target == "Two" and ended.is_set())
        await seat.settle()
        assert seat.bench.screen is seat.bench.stage("overview"), seat.shown

    sit(one.root, "overview", work)
    assert not list(nowhere.rglob(LOG_FILE))


def test_the_sample_is_begun_once_and_under_a_free_name(nowhere: Path) -> None:
    Workspace.create(nowhere / SAMPLE_NAME, "Somebody Else")
    begun = make_sample(nowhere)
    assert begun.root == nowhere / f"{SAMPLE_NAME}-2"
    assert make_sample(nowhere).root == begun.root


def test_the_sample_s_imports_come_first_and_in_order(nowhere: Path) -> None:
    workspace = make_sample(nowhere)
    kinds = []
    while (step := next_step(workspace)) is not None and step.kind == "import":
        assert step.run is None
        run_to_end(workspace, step.kind, step.entry, step.params)
        kinds.append(step.params["use"])
    assert kinds == ["train", "recall"]
    assert step is not None
    assert step.kind == "embed"
    assert {each.kind for each in list_documents(workspace.database)} == {"writing", "journal", "profile"}


@pytest.mark.slow
def test_trying_the_sample_runs_its_stages_until_one_is_stopped(nowhere: Path, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.press("d")
        await seat.until(lambda: any(each.kind == "embed" for each in seat.bench.pictures), 180)
        assert seat.bench.target == "Ada Marlow"
        assert "embedding" in seat.said
        run = next(each for each in seat.bench.pictures if each.kind == "embed")
        if run.state == "running":
            await seat.bench.cancel_run(run.id)
            await seat.until(lambda: "cancelled" in seat.said, 60)
        assert "documents" in seat.shown

    sit(None, "overview", work)
    workspace = Workspace.open(nowhere / SAMPLE_NAME)
    step = next_step(workspace)
    assert step is not None
    assert step.kind in ("embed", "recall")
    for run in control.list_runs(workspace.runs):
        if run.state == "running":
            control.cancel(workspace, run.id)
            for _ in control.follow(workspace, run.id):
                pass


def test_what_runs_is_told_with_how_far_it_is(
    workspace: Workspace, sit: Any, history: Callable[..., Run], at_work: Callable[[Run], None]
) -> None:
    run = history(workspace, "embed", [("progress", {"done": 3, "total": 4, "rate": 1.0, "what": "[/nope] \x1b[2J"})])
    at_work(run)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "embed-1 running 75%" in seat.shown)
        assert not any("\x1b" in line for line in seat.painted)

    sit(workspace.root, "overview", work)


def test_a_broken_sample_is_told(nowhere: Path, sit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere.chmod(0o500)
    try:
        make_sample(nowhere)
    except SimuleeError:
        pass
    else:
        pytest.skip("this user may write everywhere")

    async def work(seat: Any) -> None:
        await seat.press("d")
        await seat.until(lambda: isinstance(seat.bench.screen, ErrorBox))

    sit(None, "overview", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_it_lives_at_any_size(workspace: Workspace, nowhere: Path, sit: Any, size: tuple[int, int]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("r", "o", "escape")

    sit(workspace.root, "overview", work, size=size)
    sit(None, "overview", work, size=size)
