"""``simulee adapters``: what was trained, and which of it the twin uses."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.adapters.choice import adapter_named, choose_adapter, choose_retriever, retriever_named
from core.adapters.launch import EXPORT_ENTRY, EXPORT_KIND, FORMATS, export_params
from core.retrieval.retrievers import list_retrievers, retriever_in_use
from core.store.adapters import active_adapter, list_adapters
from tui.face import Face, command, group, table
from tui.results import exported

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
            f"ds{row['dataset_id']}" if row["dataset_id"] else "",
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
    """One adapter with its settings and what speaks against handing it on, or one retriever with its card.

    Example: simulee adapters show sft-1
    """
    from core.adapters.facts import facts_of

    workspace = face.workspace()
    retriever = retriever_named(workspace, name)
    if retriever:
        card = {"name": name, **retriever.card}
        face.result(card, [f"{key}: {value}" for key, value in card.items()])
        return
    adapter = adapter_named(workspace, name)
    values, facts = asdict(adapter), facts_of(workspace, adapter)
    reasons = facts.taint.reasons()
    lines = [f"{key}: {value}" for key, value in values.items()]
    lines += [f"source: {each.name}, now {each.use}" for each in facts.taint.origins]
    lines += [f"do not hand it on: {reason}" for reason in reasons]
    face.result(values | {"card": asdict(facts), "tainted": reasons}, lines)


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
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=", ".join(FORMATS))] = "safetensors",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where its folder goes; default: exports.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Write an adapter with its model card as a folder that other programs load; an earlier one is replaced.

    Example: simulee adapters export sft-1 --to merged
    """
    workspace = face.workspace()
    params = export_params(workspace, name, to, out)
    done = face.work(workspace, EXPORT_KIND, EXPORT_ENTRY, params, detach)
    if done is not None:
        for reason in done["tainted"]:
            face.note(f"  do not hand it on: {reason}")
        face.result(done, [exported(done), done["path"], *done["loading"]])
