"""``simulee adapters``: what was trained, and which of it the twin uses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.errors import UsageError
from core.store.adapters import active_adapter, list_adapters
from core.training.adapters import adapter_named, choose_adapter
from tui.face import Face, command, group, table

app = group("What was trained, and which the twin uses.")

_Name = Annotated[str, typer.Argument(metavar="ID")]


@command(app, "list")
def list_(face: Face) -> None:
    """Every trained adapter; the one in use is marked.

    Example: simulee adapters list
    """
    database = face.workspace().database
    active = active_adapter(database)
    rows = [asdict(adapter) | {"active": active == adapter} for adapter in list_adapters(database)]
    shown = [
        [
            "*" if row["active"] else "",
            row["name"],
            row["base"],
            f"ds{row['dataset_id']}" if row["dataset_id"] else "",
            row["hash"],
            row["created_at"],
        ]
        for row in rows
    ]
    face.result(
        {"adapters": rows},
        table(shown, ("", "adapter", "base", "dataset", "hash", "created")) if rows else ["no adapter yet"],
    )


@command(app)
def show(face: Face, name: _Name) -> None:
    """One adapter with its settings.

    Example: simulee adapters show sft-1
    """
    adapter = adapter_named(face.workspace(), name)
    values = asdict(adapter)
    face.result(values, [f"{key}: {value}" for key, value in values.items()])


@command(app)
def use(face: Face, name: _Name) -> None:
    """Let the twin use this adapter.

    Example: simulee adapters use sft-1
    """
    choose_adapter(face.workspace(), name)
    face.result({"adapter": name}, [f"the twin uses {name}"])


@command(app)
def revert(face: Face) -> None:
    """Let the twin use the bare base model again.

    Example: simulee adapters revert
    """
    choose_adapter(face.workspace(), None)
    face.result({"adapter": None}, ["the twin uses the bare base model"])


@command(app)
def export(
    face: Face,
    name: _Name,
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="gguf (for llama.cpp) or safetensors (PEFT)")
    ] = "gguf",
) -> None:
    """Say where an adapter's files are, making the GGUF form when it is asked for.

    Example: simulee adapters export sft-1 --to gguf
    """
    workspace = face.workspace()
    adapter = adapter_named(workspace, name)
    if to == "gguf":
        from core.twin.speech import gguf_of

        path = gguf_of(workspace, adapter)
    elif to == "safetensors":
        path = workspace.root / adapter.path
    else:
        raise UsageError(f"no adapter format {to!r}", "choose gguf or safetensors")
    face.result({"adapter": adapter.name, "path": str(path)}, [str(path)])
