"""``simulee trace``: walk from anything to where it came from, and to what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.provenance import trace as walk
from tui.face import Face, command
from tui.safe_text import safe_line

app = typer.Typer(rich_markup_mode=None)

SHOWN = 12
"""Things of one kind that are printed at one depth; --json and -v print all."""


@command(app)
def trace(
    face: Face, reference: Annotated[str, typer.Argument(metavar="ID", help="Such as m12, k7, ds1, sft-1.")]
) -> None:
    """Walk provenance both ways.

    Example: simulee trace m12
    """
    chain = walk(face.workspace().database, reference)
    lines: list[str] = []
    shown: dict[tuple[int, str], int] = {}
    for link in chain:
        place = (link.depth, link.noun)
        shown[place] = shown.get(place, 0) + 1
        if shown[place] <= SHOWN or face.verbose:
            arrow = "=" if link.depth == 0 else ("<" if link.depth < 0 else ">") * abs(link.depth)
            lines.append(f"{arrow:>4} {link.id:<8} {link.noun:<13} {safe_line(link.label)[:90]}")
    hidden = sum(max(0, count - SHOWN) for count in shown.values())
    if hidden and not face.verbose:
        lines.append(f"     and {hidden} more: -v prints all")
    face.result({"chain": [asdict(link) for link in chain]}, lines)
