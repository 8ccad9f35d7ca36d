"""``simulee embed``: cut new text into passages and embed them."""

from __future__ import annotations

from typing import Annotated

import typer

from core.journey import EMBED
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def embed(
    face: Face, detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False
) -> None:
    """Cut what is new into passages and embed them; what is there stays.

    Example: simulee embed
    """
    done = face.work(face.workspace(), *EMBED, {}, detach)
    if done is not None:
        face.result(done, [f"{done['chunks']} passages, {done['embedded']} embedded in {done['seconds']} s"])
