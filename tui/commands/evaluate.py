"""``simulee evaluate``: measure the twin on interviews it never saw."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.errors import UsageError
from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND, evaluate_params
from core.fidelity.plan import plan
from core.store.scorecards import list_scorecards
from tui.estimates import brief_plan, plan_lines
from tui.face import Face, command, group
from tui.scorecard import scorecard_lines

app = group("Measure the twin on interviews it never saw.", bare=True)


@command(app, bare=True)
def evaluate(
    face: Face,
    ctx: typer.Context,
    systems: Annotated[str | None, typer.Option("--systems", metavar="b0,b2,…", help="Which of the ladder.")] = None,
    adapter: Annotated[str | None, typer.Option("--adapter", help="Default: the one in use.")] = None,
    control: Annotated[
        Path | None, typer.Option("--control", metavar="DIR", help="Another person's workspace.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N questions of each.")] = None,
    estimate_only: Annotated[
        bool, typer.Option("--estimate", help="Say what it would measure and how long. Starts nothing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Score the ladder of systems on the held-out conversations.

    Example: simulee evaluate --systems b0,b2,b4
    """
    if ctx.invoked_subcommand is not None:
        return
    workspace = face.workspace()
    params = evaluate_params(systems, adapter, control, limit)
    expected = plan(workspace, params)
    if estimate_only:
        face.result({"estimate": asdict(expected)}, plan_lines(expected))
        return
    face.note(f"  {brief_plan(expected)}")
    done = face.work(workspace, EVALUATE_KIND, EVALUATE_ENTRY, params, detach)
    if done is not None:
        face.result(done, scorecard_lines(done["scorecard"]))


@command(app)
def show(
    face: Face, number: Annotated[int | None, typer.Argument(metavar="ID", help="Default: the newest.")] = None
) -> None:
    """Print a scorecard again.

    Example: simulee evaluate show
    """
    found = list_scorecards(face.workspace().database)
    chosen = [row for row in found if number is None or row[0] == number]
    if not chosen:
        raise UsageError("there is no such scorecard" if found else "nothing was evaluated yet", "simulee evaluate")
    identity, _, scorecard = chosen[-1]
    face.result({"scorecard": {**scorecard, "id": identity}}, scorecard_lines(scorecard))
