"""``simulee unpack``: a workspace from a file that was packed elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.transfer.unpack import unpack as make_workspace
from tui.face import Face, command
from tui.transfer import counted

app = typer.Typer(rich_markup_mode=None)


@command(app)
def unpack(
    face: Face,
    file: Annotated[Path, typer.Argument(metavar="F", help="A file of `simulee pack`.")],
    folder: Annotated[Path | None, typer.Option("--dir", metavar="D", help="Where; default: ./NAME.")] = None,
) -> None:
    """Make a workspace from a pack, verified whole; nothing is left behind when it is not.

    Example: simulee unpack ada.simulee --dir ada
    """
    done = make_workspace(file, folder)
    root = done.workspace.root
    if done.hosts:
        face.note(f"may receive words, by what was packed: {', '.join(done.hosts)}; simulee consent revoke HOST")
    face.result(
        {"workspace": str(root), "added": done.added, "packed_at": done.manifest.packed_at, "hosts": list(done.hosts)},
        [
            f"{root} is {done.workspace.target} as packed at {done.manifest.packed_at}{counted(', with', done.added)}",
            f"Next: cd {root.name} && simulee doctor",
        ],
    )
