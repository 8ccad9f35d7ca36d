"""The journal: an empty page, an entry saved, a draft that outlives a kill."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core.corpus.journal import DRAFT_FILE, Draft, export_journal, left_draft, save_entry
from core.errors import UsageError
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.workspace import Workspace
from tui.widgets.inputs import Page

HOSTILE = "x" * 10_000 + " \x1b]52;c;aGk=\x07 [/nope] \u202e reversed"


def test_a_saved_entry_is_a_journal_document_for_recall_and_the_page_is_empty_again(
    workspace: Workspace, sit: Any
) -> None:
    async def work(seat: Any) -> None:
        page = seat.bench.screen.query_one(Page)
        assert page.has_focus
        await seat.press(*"Salt again")
        await seat.press("ctrl+s")
        await seat.until(lambda: "saved, 2 words" in seat.said)
        assert page.text == ""
        await seat.press("ctrl+z")
        assert page.text == "", "undo must not bring an entry back to the page"

    sit(workspace.root, "journal", work)
    (entry,) = list_documents(Workspace.open(workspace.root).database)
    assert (entry.kind, entry.text, entry.date_precision) == ("journal", "Salt again", "day")
    assert entry.date == datetime.now().astimezone().date().isoformat()
    assert list_sources(workspace.database)[0].use == "recall"


def test_an_earlier_entry_is_never_shown(workspace: Workspace, sit: Any) -> None:
    save_entry(workspace, "A secret of the harbor")

    async def work(seat: Any) -> None:
        assert not any("secret" in line for line in seat.painted)
        assert "Overview" not in "".join(seat.painted), "a page and nothing else"

    sit(workspace.root, "journal", work)


def test_an_empty_page_is_not_saved(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.press("space", "ctrl+s")
        assert "nothing to save" in seat.said

    sit(workspace.root, "journal", work)
    assert not list_documents(workspace.database)
    with pytest.raises(UsageError, match="empty"):
        save_entry(workspace, " \n\n ")


def test_the_editor_writes_on_the_page(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf " and more" >> "$1"\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))

    async def work(seat: Any) -> None:
        await seat.press(*"begun")
        await seat.press("ctrl+o")
        assert seat.bench.screen.query_one(Page).text == "begun and more"
        monkeypatch.setenv("VISUAL", str(tmp_path / "missing"))
        await seat.press("ctrl+o")
        assert "cannot start" in seat.shown
        await seat.press("escape")
        assert seat.bench.screen.query_one(Page).text == "begun and more"

    sit(workspace.root, "journal", work)
    assert (workspace.root / DRAFT_FILE).read_text() == "begun and more"


def test_a_draft_comes_back(workspace: Workspace, sit: Any) -> None:
    async def leave(seat: Any) -> None:
        await seat.press(*"half a thought")
        await seat.press("f2")
        await seat.until((workspace.root / DRAFT_FILE).exists)

    async def come_back(seat: Any) -> None:
        page = seat.bench.screen.query_one(Page)
        assert page.text == "half a thought"
        assert "draft" in seat.said
        await seat.press("exclamation_mark", "ctrl+s")
        await seat.until(lambda: "saved" in seat.said)

    sit(workspace.root, "journal", leave)
    assert stat.S_IMODE((workspace.root / DRAFT_FILE).stat().st_mode) == 0o600
    sit(workspace.root, "journal", come_back)
    assert not (workspace.root / DRAFT_FILE).exists()
    assert [entry.text for entry in list_documents(workspace.database)] == ["half a thought!"]


def test_a_draft_that_is_not_utf_8_is_shown_and_becomes_it_when_it_is_written_on(
    workspace: Workspace, sit: Any
) -> None:
    draft = workspace.root / DRAFT_FILE
    draft.write_bytes("Salt on the café's window".encode("cp1252"))

    async def look(seat: Any) -> None:
        assert seat.bench.screen.query_one(Page).text == "Salt on the café's window"
        await seat.press("f2")

    async def go_on(seat: Any) -> None:
        await seat.press("exclamation_mark", "f2")
        await seat.until(lambda: draft.read_bytes() == "Salt on the café's window!".encode())

    sit(workspace.root, "journal", look)
    assert draft.read_bytes() == "Salt on the café's window".encode("cp1252")
    sit(workspace.root, "journal", go_on)


KILLED = """
import asyncio, sys
from pathlib import Path
from tui.app import Options, Workbench
async def main():
    bench = Workbench(Options(folder=Path(sys.argv[1]), screen="journal"))
    async with bench.run_test() as pilot:
        while not bench.stage_now().ready:
            await pilot.pause(0.02)
        await pilot.press(*"not lost")
        print("typed", flush=True)
        await pilot.pause(60)
asyncio.run(main())
"""


def test_a_kill_a_second_after_typing_loses_nothing(workspace: Workspace) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(workspace.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "typed\n"
    deadline = time.monotonic() + 1.0
    draft = workspace.root / DRAFT_FILE
    while time.monotonic() < deadline and not (draft.exists() and draft.read_text() == "not lost"):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert draft.read_text() == "not lost"


def test_a_draft_that_was_saved_before_the_kill_is_not_offered_again(workspace: Workspace) -> None:
    save_entry(workspace, "Saved, then killed")
    Draft(workspace.root).keep("Saved, then killed\n")
    assert left_draft(Draft(workspace.root), workspace) == ""
    assert not (workspace.root / DRAFT_FILE).exists()


def test_outside_text_in_a_draft_cannot_act(workspace: Workspace, sit: Any) -> None:
    Draft(workspace.root).keep(HOSTILE)

    async def work(seat: Any) -> None:
        assert not any("\x1b" in line or "\u202e" in line for line in seat.painted)
        assert "[/nope]" in "".join(seat.painted)

    sit(workspace.root, "journal", work)


def test_without_a_workspace_it_says_where_to_go(tmp_path: Path, sit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def work(seat: Any) -> None:
        assert "needs a workspace" in seat.shown
        await seat.press("ctrl+s")
        assert "this needs a workspace" in seat.said

    sit(None, "journal", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_it_lives_at_any_size(workspace: Workspace, sit: Any, size: tuple[int, int]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "ctrl+s")
        await seat.until(lambda: "saved" in seat.said)

    sit(workspace.root, "journal", work, size=size)


def test_the_command_takes_words_a_pipe_and_an_editor(workspace: Workspace, simulee: Any, tmp_path: Path) -> None:
    here = ("-w", workspace.root)
    assert simulee("journal", "From the shell", *here).returncode == 0
    piped = subprocess.run(
        [sys.executable, "-c", "from tui.cli import main; main()", "journal", "-w", str(workspace.root)],
        input="From a pipe\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    texts = [entry.text for entry in list_documents(workspace.database)]
    assert texts == ["From the shell", "From a pipe"]
    nothing = simulee("journal", *here)
    assert (nothing.returncode, "empty" in nothing.stderr) == (2, True)


def test_what_is_written_out_comes_in_again_and_changes_nothing(
    workspace: Workspace, simulee: Any, sample: Path, tmp_path: Path
) -> None:
    here = ("-w", workspace.root)
    save_entry(workspace, "One  [[with]] brackets\n\n\n\nand a gap")
    save_entry(workspace, "Two")
    first = simulee("journal", "--import", sample / "ada" / "journal.json", *here)
    assert (first.returncode, "15 added" in first.stdout) == (0, True), first.stderr
    again = simulee("journal", "--import", sample / "ada" / "journal.json", *here)
    assert "nothing changed" in again.stdout
    before = [(entry.title, entry.date, entry.text, entry.kind) for entry in list_documents(workspace.database)]
    out = tmp_path / "mine.json"
    assert export_journal(workspace, out) == 17
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    back = simulee("journal", "--import", out, *here)
    assert (back.returncode, "nothing changed" in back.stdout) == (0, True), back.stdout
    after = [(entry.title, entry.date, entry.text, entry.kind) for entry in list_documents(workspace.database)]
    assert after == before

    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    assert simulee("journal", "--import", out, "-w", other.root).returncode == 0
    carried = [(entry.title, entry.date, entry.text, entry.kind) for entry in list_documents(other.database)]
    assert sorted(carried) == sorted(before)
