"""``simulee runs``: list, look at, follow, cancel and resume long work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.runs import control
from core.runs.journal import Run, list_runs, load_run
from core.runs.snapshot import RunPicture, picture_of
from core.training.hosted.launch import left_at_host
from core.training.sparing import CHECKPOINTING, MICRO_BATCH, spare
from tui.face import Face, command, group, table
from tui.results import moment, result_line, took

app = group("Long work: list, follow, cancel, resume.")

LONGEST_RESULT = 60
"""Characters of it in the list; `runs show` tells all."""

_Id = Annotated[str, typer.Argument(metavar="ID")]


@command(app, "list")
def list_(face: Face) -> None:
    """Every run, oldest first.

    Example: simulee runs list
    """
    rows = [_row(run) for run in list_runs(face.workspace().runs)]
    shown = [
        [each.id, each.state, f"{each.done}/{each.total}", moment(each.started), took(each), _cut(result_line(each))]
        for _, each in rows
    ]
    face.result(
        {"runs": [row for row, _ in rows]},
        table(shown, ("run", "state", "progress", "started", "took", "")) if rows else ["no runs yet"],
    )


@command(app)
def show(face: Face, run_id: _Id) -> None:
    """One run: what was asked, how far it is, how it ended.

    Example: simulee runs show sft-1
    """
    run = load_run(face.workspace().runs, run_id)
    values = _row(run)[0] | {"params": run.params, "result": run.result, "folder": str(run.folder)}
    face.result(values, [f"{key}: {value}" for key, value in values.items()])


@command(app)
def attach(face: Face, run_id: _Id) -> None:
    """Follow a run from its start to its end. Ctrl+C asks it to stop, a second one only detaches.

    Example: simulee runs attach sft-1
    """
    workspace = face.workspace()
    run = load_run(workspace.runs, run_id)
    result = face.follow(workspace, run) if run.state in ("running", "queued") else control.result_of(workspace, run_id)
    face.result(result, [f"{run_id} is done"])


@command(app)
def cancel(face: Face, run_id: _Id) -> None:
    """Ask a run to stop at its next safe point; finished work is kept.

    Example: simulee runs cancel sft-1
    """
    asked = control.cancel(face.workspace(), run_id)
    run, left = asked.run, left_at_host(asked.run)
    by_file = "" if asked.signalled else ", by a file alone: its process is not this machine's to signal"
    face.result(
        {"run": run.id, "signalled": asked.signalled, "left_at_host": left},
        [f"asked {run.id} to stop{by_file}; simulee runs resume {run.id} goes on later", *([left] if left else [])],
    )


@command(app)
def resume(
    face: Face,
    run_id: _Id,
    checkpointing: Annotated[
        bool | None,
        typer.Option(f"{CHECKPOINTING}/--no-gradient-checkpointing", help="From now on: less memory, more time."),
    ] = None,
    micro_batch: Annotated[
        int | None, typer.Option(MICRO_BATCH, metavar="N", min=1, help="From now on: rows in memory at once.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow it.")] = False,
) -> None:
    """Go on with a run that was cancelled, failed or lost. One of train sft may go on with less memory.

    Example: simulee runs resume sft-1
    """
    workspace = face.workspace()
    spare(load_run(workspace.runs, run_id), checkpointing, micro_batch)
    run = control.resume(workspace, run_id)
    if detach:
        face.result({"run": run.id}, [f"{run.id} is running"])
        return
    face.result(face.follow(workspace, run, from_start=False), [f"{run_id} is done"])


def _row(run: Run) -> tuple[dict[str, Any], RunPicture]:
    picture = picture_of(run)
    return {
        "id": picture.id,
        "kind": picture.kind,
        "state": picture.state,
        "progress": {"done": picture.done, "total": picture.total},
        "started": picture.started,
        "ended": picture.ended,
    }, picture


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_RESULT else line[: LONGEST_RESULT - 1] + "…"
