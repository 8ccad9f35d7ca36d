"""Kill a merge at any moment: the workspace is as before or as after, and merging again ends the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.review.decisions import Actor, Decision, decide
from core.runs.journal import list_runs
from core.store.adapters import list_adapters
from core.transfer.merge import merge
from core.workspace import Workspace
from tests.two_machines import content, copied, packed, talk, train

PLACES = 4
MERGE = """
import os, signal, sys
from pathlib import Path
from core.transfer.merge import merge
from core.workspace import Workspace
workspace, last, count = Workspace.open(Path(sys.argv[2])), int(sys.argv[3]), 0
def watch(*_):
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return True
workspace.database.connection.set_exec_trace(watch)
merge(workspace, Path(sys.argv[1]))
print(count)
"""
"""Merges, and is killed before the statement of this number; prints how many there were."""


@pytest.mark.slow
def test_a_killed_merge_leaves_before_or_after(home: Workspace, tmp_path: Path) -> None:
    box = copied(home, tmp_path / "box")
    for number in range(5, 40):
        decide(box.database, Actor("person", "Nell"), [Decision(f"m{number:06}", "accept")])
    decide(home.database, Actor("person", "Bo"), [Decision("m000005", "reject")])
    for number in range(5):
        talk(box, f"word {number}", f"2026-02-01T10:00:{number:02}+00:00")
    train(box, b"weights of the box" * 100_000, "2026-02-01T00:00:00+00:00")
    train(home, b"weights of home", "2026-02-01T00:00:01+00:00")
    file = packed(box, tmp_path / "back.simulee")
    home.database.close()
    shutil.copytree(home.root, tmp_path / "whole")
    whole = Workspace.open(tmp_path / "whole")
    before = content(whole)
    done = subprocess.run(
        [sys.executable, "-c", MERGE, file, whole.root, "0"], check=True, capture_output=True, text=True
    )
    statements = int(done.stdout)
    after = content(whole)
    assert after != before
    ended = set()
    # Spread over all of them, and each of the last, where files are in place and the transaction ends.
    places = [*range(1, statements - 4, statements // PLACES), *range(statements - 4, statements + 1)]
    for place in places:
        killed = tmp_path / f"killed-{place}"
        shutil.copytree(home.root, killed)
        process = subprocess.run([sys.executable, "-c", MERGE, file, killed, str(place)], check=False)
        assert process.returncode == -signal.SIGKILL
        workspace = Workspace.open(killed)
        assert workspace.database.value("PRAGMA integrity_check") == "ok"
        ended.add(content(workspace) == after)
        assert content(workspace) in (before, after)
        for adapter in list_adapters(workspace.database):
            assert folder_hash(killed / adapter.path, ADAPTER_FILES) == adapter.hash
        assert {run.state for run in list_runs(workspace.runs)} == {"done"}
        merge(workspace, file)
        assert content(workspace) == after
        assert merge(workspace, file).added == {}
        workspace.database.close()
    assert ended == {False, True}


def test_what_a_kill_left_between_files_and_rows_is_taken_up(home: Workspace, tmp_path: Path) -> None:
    """The folders were moved in and the transaction was not committed."""
    box = copied(home, tmp_path / "box")
    name = train(box, b"weights of the box", "2026-02-01T00:00:00+00:00")
    for folder in ("adapters", "runs"):
        shutil.copytree(box.root / folder / name, home.root / folder / name)
    (home.root / ".merging-1").mkdir()
    merge(home, packed(box, tmp_path / "back.simulee"))
    assert [(row.name, row.run_id) for row in list_adapters(home.database)] == [("sft-1", "sft-1"), ("sft-2", "sft-2")]
    assert sorted(path.name for path in home.adapters.iterdir()) == ["sft-1", "sft-2"]
    assert sorted(run.id for run in list_runs(home.runs)) == ["sft-1", "sft-2"]
    assert not list(home.root.glob(".*"))
