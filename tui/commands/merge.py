"""``simulee merge``: bring back what a copy of the workspace has gained on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.transfer.merge import merge as merge_pack
from tui.face import Face, command
from tui.transfer import counted

app = typer.Typer(rich_markup_mode=None)


@command(app)
def merge(
    face: Face,
    file: Annotated[Path, typer.Argument(metavar="F", help="A pack of a copy of this workspace.")],
) -> None:
    """Bring adapters, decisions, memories, chats and calls from a pack. Nothing is lost, and twice adds nothing.

    Settings, consents and the adapter in use stay as they are here.

    Example: simulee merge from-the-box.simulee
    """
    workspace = face.workspace()
    done = merge_pack(workspace, file)
    lines = [f"merged{counted(':', done.added)}" if done.added else "nothing new: everything in it is here already"]
    if done.left_out:
        lines.append(f"left out, since what they rest on is not here{counted(':', done.left_out)}")
    if done.waiting:
        lines.append(f"{done.waiting} decided cards are not here yet; their decisions count once they come")
    if done.unended:
        lines.append(f"{done.unended} runs ended there and not here yet: free some space, then merge it again")
    if done.backup:
        lines.append(f"the database as it was before: {done.backup}")
    face.result(
        {
            "workspace": str(workspace.root), "added": done.added, "left_out": done.left_out, "waiting": done.waiting,
            "unended": done.unended, "backup": str(done.backup) if done.backup else None,
        },
        lines,
    )  # fmt: skip
