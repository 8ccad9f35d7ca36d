"""``simulee dataset``: freeze, inspect, export, verify."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.dataset.build import build as build_dataset
from core.dataset.build import check_leaks, renderer_of
from core.dataset.export import FORMATS, export, find_dataset
from core.dataset.verify import parity_problems
from core.errors import DatasetError
from core.prompts.render import Message
from core.store.datasets import examples_of, list_datasets
from tui.face import Face, command, group, table

app = group("Freeze, inspect and export training data.")


@command(app)
def build(
    face: Face,
    heldout: Annotated[
        list[str] | None, typer.Option("--heldout", metavar="ID", help="Set this conversation aside.")
    ] = None,
    no_memories: Annotated[bool, typer.Option("--no-memories", help="The same samples without memories.")] = False,
) -> None:
    """Freeze what is accepted now. The latest quarter of the conversations is held out unless you name others.

    Example: simulee dataset build --heldout c7
    """
    workspace = face.workspace()
    built = build_dataset(workspace, heldout or (), memories=not no_memories)
    splits = ", ".join(f"{count} {split}" for split, count in built.splits.items())
    recalled = ", ".join(f"{count} {kind}" for kind, count in built.recall.items())
    face.result(
        {"dataset": f"ds{built.id}", **asdict(built), "leaks": 0},
        [
            f"ds{built.id} {built.hash}: {built.examples} samples; exchanges: {splits}",
            f"memories: {recalled}; {built.tokens} tokens, {built.trained_tokens} trained",
            *([f"{built.left_out} exchanges are too long for any sample"] if built.left_out else []),
            "Next: simulee train sft",
        ],
    )


@command(app, "list")
def list_(face: Face) -> None:
    """The frozen datasets.

    Example: simulee dataset list
    """
    workspace = face.workspace()
    rows = []
    for dataset in list_datasets(workspace.database):
        examples = examples_of(workspace.database, dataset.id)
        rows.append(
            {
                "dataset": f"ds{dataset.id}",
                "hash": dataset.hash,
                "examples": len(examples),
                "tokens": sum(example.tokens for example in examples),
                "memories": dataset.settings["memories"],
                "created": dataset.created_at,
            }
        )
    face.result(
        {"datasets": rows},
        table([[str(value) for value in row.values()] for row in rows], tuple(rows[0])) if rows else ["no dataset yet"],
    )


@command(app)
def show(
    face: Face,
    reference: Annotated[str | None, typer.Argument(metavar="ID", help="Default: the newest.")] = None,
    example: Annotated[int, typer.Option("--example", min=1, help="Which sample.")] = 1,
    mask: Annotated[bool, typer.Option("--mask", help="Mark the tokens that the loss reads.")] = False,
) -> None:
    """Print one sample as the model sees it; with --mask the trained tokens stand between » and «.

    Example: simulee dataset show --mask
    """
    workspace = face.workspace()
    dataset = find_dataset(workspace, reference)
    examples = examples_of(workspace.database, dataset.id)
    if example > len(examples):
        raise DatasetError(f"ds{dataset.id} has {len(examples)} samples", "choose a smaller --example")
    row = examples[example - 1]
    renderer = renderer_of(workspace, dataset.settings["base"])
    segments = renderer.segments([Message(m["role"], m["content"], m["trained"]) for m in row.messages])
    text = "".join(f"»{s.text}«" if mask and s.trained else s.text for s in segments)
    face.result(
        {
            "dataset": f"ds{dataset.id}",
            "example": example,
            "split": row.split,
            "tokens": row.tokens,
            "trained_tokens": row.trained_tokens,
            "segments": [{"text": s.text, "trained": s.trained} for s in segments],
        },
        [text, f"{row.split}, {row.tokens} tokens, {row.trained_tokens} trained"],
    )


@command(app, "export")
def export_(
    face: Face,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=" or ".join(FORMATS))] = "openai",
    reference: Annotated[str | None, typer.Argument(metavar="ID")] = None,
) -> None:
    """Write a dataset under exports/ in a format that other tools read.

    Example: simulee dataset export --to openai
    """
    workspace = face.workspace()
    written = export(workspace, find_dataset(workspace, reference), to)
    face.result({"files": [str(path) for path in written]}, [str(path) for path in written])


@command(app)
def verify(face: Face, reference: Annotated[str | None, typer.Argument(metavar="ID")] = None) -> None:
    """Check for leaks, and that every sample is byte for byte what the twin would be asked.

    Example: simulee dataset verify
    """
    workspace = face.workspace()
    dataset = find_dataset(workspace, reference)
    leaks = check_leaks(workspace)
    problems = parity_problems(workspace, dataset)
    face.result(
        {"dataset": f"ds{dataset.id}", "leaks": [asdict(leak) for leak in leaks], "parity": problems},
        [
            *(f"leak: {leak.heldout} in {leak.where}, {leak.share:.0%} of its runs of eight words" for leak in leaks),
            *problems,
            f"ds{dataset.id}: {len(leaks)} leaks, {len(problems)} parity problems",
        ],
    )
    if leaks or problems:
        raise typer.Exit(1)
