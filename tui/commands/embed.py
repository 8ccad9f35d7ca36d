"""``simulee embed``: cut new text into passages and embed them, and have a writer ask what they answer."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.journey import EMBED, QUESTIONS
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def embed(
    face: Face,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
    questions: Annotated[
        bool,
        typer.Option("--questions", help="Instead have the writer ask what each embedded passage answers, once."),
    ] = False,
) -> None:
    """Cut what is new into passages and embed them; what is there stays.

    Example: simulee embed
    """
    workspace = face.workspace()
    if questions:
        asked = face.work(workspace, *QUESTIONS, {}, detach)
        if asked is not None:
            face.result(asked, _asked_lines(asked))
            if asked["parked"]:
                raise typer.Exit(3)
        return
    done = face.work(workspace, *EMBED, {}, detach)
    if done is not None:
        face.result(done, [f"{done['chunks']} passages, {done['embedded']} embedded in {done['seconds']} s"])


def _asked_lines(asked: dict[str, Any]) -> list[str]:
    lines = [
        f"{asked['answered']} of {asked['passages']} passages asked about in {asked['seconds']} s;"
        f" {asked['kept']} of {asked['questions']} questions are kept"
    ]
    for name in ("dropped", "parked"):
        if asked[name]:
            lines.append(f"{name}: " + ", ".join(f"{count} {reason}" for reason, count in asked[name].items()))
    if asked["parked"]:
        lines.append("Next: simulee embed --questions asks about the parked ones again")
    return lines
