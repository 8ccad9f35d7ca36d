"""``simulee formats``: what can be imported."""

from __future__ import annotations

import typer

from core.corpus.importers import IMPORTERS
from tui.face import Face, command, table

app = typer.Typer(rich_markup_mode=None)


@command(app)
def formats(face: Face) -> None:
    """What can be imported, with how each format is told and what reads it.

    Example: simulee formats
    """
    rows = [{"name": each.name, "sniff": each.sniff_rule, "library": each.library} for each in IMPORTERS]
    face.result(
        {"formats": rows},
        table([[row["name"], row["library"], row["sniff"]] for row in rows], ("format", "read by", "told by")),
    )
