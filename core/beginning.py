"""A workspace to begin with: the sample's with its first stages, an empty one, or one that lies near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.corpus import importing
from core.errors import UsageError, WorkspaceError
from core.journey import EMBED, RECALL, sample_requests
from core.runs.journal import Run, list_runs
from core.sample import SETTINGS, TARGET, sample_folder
from core.workspace import DATABASE_FILE, SETTINGS_FILE, Workspace, folder_for

SAMPLE_NAME = "simulee-sample"
MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the sample's beginning, as a run."""

    kind: str
    entry: str
    params: dict[str, Any]
    words: str
    """What it does, while it does it."""
    run: Run | None
    """The newest run of just this, whatever became of it."""


def make_empty(name: str, beside: Path) -> Workspace:
    """An empty workspace for a target. Raises UsageError without a name, WorkspaceError when the folder is taken."""
    if not name.strip():
        raise UsageError("the target has no name", "type the name of the person or character")
    return Workspace.create(folder_for(name, beside), name.strip())


def make_sample(beside: Path) -> Workspace:
    """The sample's workspace in a folder: the one that was begun there, else a fresh one under a free name.

    Raises WorkspaceError when none can be made.
    """
    sample_folder()
    for number in range(1, MOST_NAMES):
        root = beside.absolute() / (SAMPLE_NAME if number == 1 else f"{SAMPLE_NAME}-{number}")
        if not root.exists():
            return Workspace.create(root, TARGET, sections=SETTINGS)
        if is_workspace(root) and Workspace.open(root).target == TARGET:
            return Workspace.open(root)
    raise WorkspaceError(f"{beside} is full of samples", "remove some, or go to another folder")


def next_step(workspace: Workspace) -> Step | None:
    """The first stage of the sample's beginning that is not done; None when memories wait to be reviewed."""
    return next((step for step in _steps(workspace) if step.run is None or step.run.state != "done"), None)


def _steps(workspace: Workspace) -> Iterator[Step]:
    runs = list_runs(workspace.runs)
    requests = sample_requests(sample_folder())

    def step(kind: str, entry: str, params: dict[str, Any], words: str) -> Step:
        same = [run for run in runs if (run.kind, run.params) == (kind, params)]
        return Step(kind, entry, params, words, same[-1] if same else None)

    for name, words, options in (
        ("train", "bringing in the writings and interviews", {"use": "train"}),
        ("recall", "bringing in the journal, the profile and the chat", {"use": "recall", "include_private": True}),
    ):
        params = {"sources": [asdict(request) for request in requests[name]], **options}
        yield step(importing.KIND, importing.ENTRY, params, words)
    yield step(*EMBED, {}, "cutting passages and embedding them")
    yield step(*RECALL, {}, "recalling memories; those that are there can be reviewed")


def is_workspace(folder: Path) -> bool:
    """Whether a folder holds a workspace."""
    return all((folder / name).is_file() for name in (SETTINGS_FILE, DATABASE_FILE))


def workspaces_in(folder: Path) -> list[Path]:
    """The workspaces right under a folder, by name."""
    try:
        return sorted(each for each in folder.iterdir() if is_workspace(each))
    except OSError:
        return []
