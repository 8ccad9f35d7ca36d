"""``simulee recall``: recall memories for every question that was asked."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.journey import RECALL
from core.review.queue import stats
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def recall(
    face: Face,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N exchanges.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Write candidate memories for every question the target was asked, and judge them.

    Example: simulee recall --detach
    """
    workspace = face.workspace()
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
