"""``simulee recall``: recall memories for every question that was asked, and see which passages are used."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.journey import RECALL
from core.recall.coverage import coverage as coverage_of
from core.review.queue import stats
from tui.coverage import coverage_lines
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def recall(
    face: Face,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N exchanges.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Only tell which passages the memories come from, and which never do.")
    ] = False,
) -> None:
    """Write candidate memories for every question the target was asked, and judge them.

    Example: simulee recall --detach
    """
    workspace = face.workspace()
    if coverage:
        report = coverage_of(workspace.database)
        face.result(asdict(report) | {"share": round(report.share, 4)}, coverage_lines(report))
        return
    params: dict[str, Any] = {"limit": limit} if limit else {}
    done = face.work(workspace, *RECALL, params, detach)
    if done is not None:
        waiting = stats(workspace.database).pending
        face.result(
            done | {"pending": waiting},
            [
                f"{done['candidates']} candidate memories for {done['recalled']} of {done['exchanges']} questions;"
                f" {waiting} wait for review",
                "Next: simulee review --next 5",
            ],
        )
