"""``simulee web``: the workbench in a browser on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def web(
    face: Face,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any that is free.")] = 8000,
) -> None:
    """Show the workbench in a browser, on this machine only, until Ctrl+C. Who opens it needs the key it prints.

    Example: simulee web --port 8080
    """
    from tui.web_server import serve

    if face.folder:
        face.workspace()
    serve(face, port)
