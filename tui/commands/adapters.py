"""``simulee adapters``: what was trained, and which of it the twin uses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.errors import UsageError
from core.retrieval.retrievers import list_retrievers, retriever_in_use
from core.store.adapters import active_adapter, list_adapters
from core.training.adapters import adapter_named, choose_adapter, choose_retriever, retriever_named
from tui.face import Face, command, group, table

app = group("What was trained, and which the twin uses.")

_Name = Annotated[str, typer.Argument(metavar="ID")]


@command(app, "list")
def list_(face: Face) -> None:
    """Every trained adapter and retriever; those in use are marked.

    Example: simulee adapters list
    """
    workspace = face.workspace()
    active = active_adapter(workspace.database)
    rows = [
        {**asdict(adapter), "kind": "lora", "active": active == adapter}
        for adapter in list_adapters(workspace.database)
    ]
    shown = [
        [
            "*" if row["active"] else "",
            row["name"],
            row["base"],
            f"ds{row['dataset_id']}",
            row["hash"],
            row["created_at"],
        ]
        for row in rows
    ]
    lines = table(shown, ("", "adapter", "base", "dataset", "hash", "created")) if rows else ["no adapter yet"]
    in_use = retriever_in_use(workspace.adapters)
    retrievers = [
        {"name": each.name, "kind": each.kind, "base": each.embedder, "gain": each.card.get("gain"), "hash": each.hash,
         "created_at": each.created_at, "active": each.name == in_use}
        for each in list_retrievers(workspace.adapters)
    ]  # fmt: skip
    if retrievers:
        heads = ("", "retriever", "kind", "embedder", "gain", "hash", "created")
        cells = [["*" if row["active"] else "", *(_cell(row[key]) for key in list(row)[:-1])] for row in retrievers]
        lines += ["", *table(cells, heads)]
    face.result({"adapters": rows + retrievers}, lines)


def _cell(value: object) -> str:
    return "?" if value is None else str(value)


@command(app)
def show(face: Face, name: _Name) -> None:
    """One adapter with its settings, or one retriever with its card.

    Example: simulee adapters show sft-1
    """
    workspace = face.workspace()
    retriever = retriever_named(workspace, name)
    values = {"name": name, **retriever.card} if retriever else asdict(adapter_named(workspace, name))
    face.result(values, [f"{key}: {value}" for key, value in values.items()])


@command(app)
def use(face: Face, name: _Name) -> None:
    """Let the twin use this adapter, or search with this retriever.

    Example: simulee adapters use sft-1
    """
    workspace = face.workspace()
    if retriever_named(workspace, name):
        choose_retriever(workspace, name)
        face.result({"adapter": name}, [f"searches use {name}", "Next: simulee recall"])
        return
    choose_adapter(workspace, name)
    face.result({"adapter": name}, [f"the twin uses {name}"])


@command(app)
def revert(
    face: Face,
    retriever: Annotated[bool, typer.Option("--retriever", help="Search with the embedder as it is instead.")] = False,
) -> None:
    """Let the twin use the bare base model again, or with --retriever search with the bare embedder.

    Example: simulee adapters revert
    """
    if retriever:
        choose_retriever(face.workspace(), None)
        face.result({"adapter": None}, ["searches use the embedder as it is", "Next: simulee recall"])
        return
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
