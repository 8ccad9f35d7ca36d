"""Kill a stage at any moment and run it again: it ends with the same content as an undisturbed run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from core.corpus import importing
from core.journey import EMBED, RECALL
from core.review.queue import decide_by_threshold
from core.runs.control import follow, resume, run_to_end, start
from core.runs.journal import holder, load_run
from core.store.fingerprints import fingerprint
from core.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("SIMULEE_KILLS", "8"))
"""Of each stage."""
KILLS_IN_A_ROW = 4
"""Before a workspace is left to finish and compared."""
STAGES = ("import", "embed", "recall", "dataset")


@dataclass(frozen=True)
class Undisturbed:
    """A workspace as it was before each stage, what each stage made of it, and how many seconds it took."""

    before: dict[str, Path]
    content: dict[str, str]
    seconds: dict[str, float]


Attempt = Callable[[Workspace, float | None], bool]
"""Work on a stage, killed after so many seconds; says whether it was done before that."""


@pytest.fixture(scope="module")
def words(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six notes, and three exchanges of two interviews."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "notes").mkdir()
    for note in sorted((sample / "ada" / "vault").iterdir())[:6]:
        shutil.copy(note, folder / "notes")
    for name in ("2011-05-18-ines-calder", "2017-06-02-ines-calder"):
        whole = json.loads((sample / "ada" / "interviews" / f"{name}.json").read_text("utf-8"))
        whole["exchanges"] = whole["exchanges"][:3]
        (folder / f"{name}.json").write_text(json.dumps(whole), "utf-8")
    return folder


@pytest.fixture(scope="module")
def undisturbed(words: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed")
    Workspace.create(root / "ws", "Ada Marlow", sections={"recall": {"candidates": 2}})
    before: dict[str, Path] = {}
    content: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for stage in STAGES:
        before[stage] = root / f"before-{stage}"
        _copy(root / "ws", before[stage])
        workspace = Workspace.open(root / "ws")
        began = time.monotonic()
        assert _attempts(words)[stage](workspace, None)
        seconds[stage] = time.monotonic() - began
        content[stage] = fingerprint(workspace.database, stage)
        if stage == "recall":
            decide_by_threshold(workspace.database, -1.0)
        workspace.database.close()
    assert len(set(content.values())) == len(STAGES)
    return Undisturbed(before, content, seconds)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_ends_as_an_undisturbed_one(
    stage: str, undisturbed: Undisturbed, words: Path, tmp_path: Path
) -> None:
    chance = random.Random(stage)
    attempt = _attempts(words)[stage]
    kills = workspaces = 0
    while kills < KILLS:
        workspaces += 1
        workspace = _copy(undisturbed.before[stage], tmp_path / f"{stage}-{workspaces}")
        for _ in range(KILLS_IN_A_ROW):
            if attempt(workspace, chance.uniform(0, undisturbed.seconds[stage])):
                break
            kills += 1
        assert attempt(workspace, None)
        assert fingerprint(workspace.database, stage) == undisturbed.content[stage]
        workspace.database.close()


def test_a_recall_that_was_killed_does_not_recall_again_what_it_had(
    undisturbed: Undisturbed, words: Path, tmp_path: Path
) -> None:
    workspace = _copy(undisturbed.before["recall"], tmp_path / "ws")
    run = start(workspace, *RECALL, {})
    pid = holder(run.folder / "lock")
    assert pid is not None
    for event in follow(workspace, run.id):
        if event.kind == "progress" and event.payload["done"] >= 1:
            os.kill(pid, signal.SIGKILL)
    assert load_run(workspace.runs, run.id).state == "lost"
    had = workspace.database.value("SELECT count(*) FROM recalled")
    assert had >= 1
    done = run_to_end(workspace, *RECALL, {}, resume_id=run.id)
    assert done["recalled"] == done["exchanges"] - had


def _copy(source: Path, target: Path) -> Workspace:
    shutil.copytree(source, target)
    return Workspace.open(target)


def _attempts(words: Path) -> dict[str, Attempt]:
    choices, _ = importing.plan([words], None)
    sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
    return {
        "import": lambda workspace, within: _run(
            workspace, importing.KIND, importing.ENTRY, {"sources": sources}, within
        ),
        "embed": lambda workspace, within: _run(workspace, *EMBED, {}, within),
        "recall": lambda workspace, within: _run(workspace, *RECALL, {}, within),
        "dataset": _build,
    }


def _run(workspace: Workspace, kind: str, entry: str, params: dict[str, object], within: float | None) -> bool:
    """One attempt at a run of the workspace: the first starts it, later ones resume it."""
    known = workspace.runs / f"{kind}-1"
    if known.exists() and load_run(workspace.runs, known.name).state == "done":
        return True
    run = resume(workspace, known.name) if known.exists() else start(workspace, kind, entry, params)
    pid = holder(run.folder / "lock")
    killer = threading.Timer(within or 0, _kill, [pid])
    if within is not None and pid is not None:
        killer.start()
    for _ in follow(workspace, run.id, from_start=False):
        pass
    killer.cancel()
    return load_run(workspace.runs, run.id).state == "done"


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _build(workspace: Workspace, within: float | None) -> bool:
    """One attempt at freezing a dataset, in a process of its own."""
    command = "from tui.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "dataset", "build", "-q", "-w", str(workspace.root)], stdout=subprocess.DEVNULL
    )
    try:
        return process.wait(within) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
