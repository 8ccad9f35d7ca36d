"""``simulee new``: make a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.workspace import Workspace, folder_for
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def new(
    face: Face,
    name: Annotated[str, typer.Argument(help="The target: the person or character to be modelled.")],
    folder: Annotated[Path | None, typer.Option("--dir", metavar="D", help="Where; default: ./NAME.")] = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="Another name they go by; repeat.")] = None,
) -> None:
    """Make a workspace for one target.

    Example: simulee new "Ada Marlow" --dir ada --alias "A. Marlow"
    """
    root = folder.absolute() if folder else folder_for(name, Path.cwd())
    workspace = Workspace.create(root, name, tuple(alias or ()))
    face.result(
        {"workspace": str(workspace.root)},
        [f"{workspace.root} is ready for {name}.", f"Next: cd {root.name} && simulee import FILE…"],
    )
