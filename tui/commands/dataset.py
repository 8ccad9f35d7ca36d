"""``simulee dataset``: freeze, inspect, export, verify."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.dataset.build import build as build_dataset
from core.dataset.composition import build_line, composition_lines, dataset_sight
from core.dataset.export import FORMATS, export, find_dataset
from core.dataset.masks import sample_of, sample_segments
from core.dataset.verify import verify as verify_dataset
from core.errors import UsageError
from core.settings import dataset_settings
from core.store.datasets import example_lines, list_datasets
from tui.face import Face, command, group, table

app = group("Freeze, inspect and export training data.")

RELEASED = (
    "trained on from now on, so only the scores so far are of words that were held out. `simulee embed` and"
    " `simulee recall` bring passages and memories of it back for the next dataset"
)


@command(app)
def build(
    face: Face,
    heldout: Annotated[
        list[str] | None, typer.Option("--heldout", metavar="ID", help="Set this conversation aside.")
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option("--release", metavar="ID", help="Train on this held-out conversation from now on."),
    ] = None,
    no_memories: Annotated[bool, typer.Option("--no-memories", help="The same samples without memories.")] = False,
    failed_recall: Annotated[
        float | None, typer.Option("--failed-recall", metavar="P", help="Share of questions with none or wrong ones.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--form", metavar="F", help="chat, or completion: named logs without a template.")
    ] = None,
    tools: Annotated[
        float | None, typer.Option("--tools", metavar="P", help="Share of samples that ask for their memories.")
    ] = None,
    passages: Annotated[
        str | None, typer.Option("--passages", metavar="P", help="together, or apart: RA-DIT's copies.")
    ] = None,
) -> None:
    """Freeze what is accepted now. The latest quarter of the conversations is held out unless you name others.

    What you hold out stays so until you release it by name. Scores on it so far stand, as of words that were held out;
    what is trained from then on may have seen them.

    Example: simulee dataset build --heldout c7
    """
    workspace = face.workspace()
    how = dataset_settings(
        workspace.settings.dataset, {"failed_recall": failed_recall, "form": form, "passages": passages, "tools": tools}
    )
    built = build_dataset(workspace, heldout or (), memories=not no_memories, how=how, released=release or ())
    values = {"dataset": f"ds{built.id}", **asdict(built), "released": release or [], "leaks": 0}
    recalled = ", ".join(f"{count} {kind}" for kind, count in built.recall.items())
    face.result(
        values,
        [
            build_line(values),
            f"memories: {recalled}; {built.tokens} tokens, {built.trained_tokens} trained",
            *([f"released: {', '.join(release)}; {RELEASED}"] if release else []),
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
        examples = example_lines(workspace.database, dataset.id)
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
def stats(
    face: Face, reference: Annotated[str | None, typer.Argument(metavar="ID", help="Default: the newest.")] = None
) -> None:
    """What a dataset is made of: splits, recall, sources, years, lengths, and what is newer than it.

    Example: simulee dataset stats
    """
    seen = dataset_sight(face.workspace(), reference)
    if seen is None:
        raise UsageError("there is no dataset here", "simulee dataset build makes one")
    face.result(asdict(seen.composition), composition_lines(seen.composition))


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
    row = sample_of(workspace, dataset.id, example)
    segments = sample_segments(workspace, dataset.settings["base"], [row])[0]
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
    verdict = verify_dataset(workspace, dataset)
    face.result(asdict(verdict), verdict.lines())
    if verdict.leaks or verdict.parity:
        raise typer.Exit(1)
