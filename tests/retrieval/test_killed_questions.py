"""Kill the asking at any moment and ask again: it ends with the same questions, and asks about nothing twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.store.fingerprints import fingerprint
from core.workspace import Workspace
from tests.question_asker import Answering, answering, ask_all

Embedded = Callable[..., Workspace]
"""Imports notes and embeds."""

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
KILLS = 6
PASSAGES = 40


def kill_after(workspace: Workspace, server: Answering, calls: int) -> bool:
    """Ask in a process of its own, killed once the server was asked so often. Whether it was killed before its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.question_asker", str(workspace.root), server.url], cwd=REPOSITORY
    )
    while process.poll() is None:
        if len(server.messages) >= calls:
            process.kill()
            process.wait()
            return True
        try:
            process.wait(0.002)
        except subprocess.TimeoutExpired:
            continue
    return False


def test_asking_that_was_killed_ends_as_undisturbed_asking(embedded: Embedded, tmp_path: Path) -> None:
    words = ("chart", "ledger", "damson", "harbor", "ballast", "lantern", "causeway", "mackerel")
    notes = {
        f"2011-01-01 Note {n}.md": f"My {words[n % 8]} number {n} stands beside the {words[n // 8]} of winter."
        for n in range(PASSAGES)
    }
    workspace = embedded(notes)
    shutil.copytree(workspace.root, tmp_path / "other")
    other = Workspace.open(tmp_path / "other")
    with answering() as server:
        ask_all(workspace, server.url)
    chance = random.Random(4)
    kills = 0
    with answering() as server:
        while kills < KILLS and kill_after(other, server, len(server.messages) + chance.randint(1, PASSAGES // 4)):
            kills += 1
        ask_all(other, server.url)
        asked = Counter(server.passages)
    assert kills >= 2
    assert fingerprint(other.database, "questions") == fingerprint(workspace.database, "questions")
    assert len(asked) == PASSAGES
    answered_twice = sum(asked.values()) - PASSAGES
    # What was under way when it was killed is asked again, and nothing else.
    assert answered_twice <= kills * PASSAGES
    assert workspace.database.value("SELECT count(*) FROM question") == PASSAGES * 3
