"""``simulee pack``: the workspace as one file, to carry to another machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.transfer.pack import pack as write_pack
from tui.face import Face, command
from tui.transfer import counted

app = typer.Typer(rich_markup_mode=None)


class Purpose(StrEnum):
    """What a pack may be slimmed for."""

    training = "training"


@command(app)
def pack(
    face: Face,
    file: Annotated[Path, typer.Argument(metavar="F", help="The file to write; it must not be there.")],
    purpose: Annotated[
        Purpose | None, typer.Option("--for", metavar="training", help="Without adapters and runs.")
    ] = None,
    checkpoints: Annotated[
        bool,
        typer.Option(
            "--checkpoints", help="With each run's newest checkpoint and best weights, to resume it elsewhere."
        ),
    ] = False,
) -> None:
    """Write the workspace to one file: settings, database, adapters, finished runs. No key is in it.

    Every word of the target is: keep the file as you keep the workspace.

    Example: simulee pack ada.simulee; simulee pack ada.simulee --for training
    """
    workspace = face.workspace()
    done = write_pack(workspace, file, purpose is not None, checkpoints)
    if done.running:
        face.note(f"not in it, being at work: {', '.join(done.running)}; everything else is as it was at one moment")
    if done.left_out.get("adapters") and purpose is None:
        face.note(f"{done.left_out['adapters']} adapters are damaged and were left out; simulee doctor names them")
    face.result(
        {
            "workspace": str(workspace.root), "file": str(done.path), "bytes": done.bytes, "added": done.added,
            "left_out": done.left_out, "running": list(done.running),
        },
        [
            f"{done.path}: {done.bytes / 1e6:.1f} MB, the corpus and all work on it{counted(', with', done.added)}",
            "Next, on the other machine: simulee unpack F; and back here: simulee merge F",
        ],
    )  # fmt: skip
