"""``simulee train retriever``: let what was accepted, and what makes answers likelier, draw the query toward it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from core.errors import UsageError
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from tui.face import Face, table
from tui.retriever_words import FIGURES, drift_words, figure_rows, outlook_rows


def retriever(
    face: Face,
    full: Annotated[bool, typer.Option("--full", help="The whole query encoder, not a head; best on a GPU.")] = False,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="At the most; validation stops it early.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="The same, as times through the questions.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Peak; cosine after.")] = None,
    lsr_weight: Annotated[
        float | None, typer.Option("--lsr-weight", help="Of what makes the real answers likelier; 0 scores nothing.")
    ] = None,
    contrastive_weight: Annotated[
        float | None, typer.Option("--contrastive-weight", help="Of accepted against rejected memories.")
    ] = None,
    tau: Annotated[float | None, typer.Option("--tau", help="Temperature of the language model's preference.")] = None,
    candidates: Annotated[int | None, typer.Option("--candidates", min=2, help="Passages of a question.")] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=0, help="Of the head's change; 0 for a full one.")] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="M", help="Scores the answers. Default: the judge's model.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything random.")] = None,
    use: Annotated[
        bool | None, typer.Option("--use/--no-use", help="Search with it, or not. Default: where it shows a gain.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Train the query's side of search; passages stay as they are embedded. It is adopted where it shows a gain.

    Answers are scored once and kept: to train a head again costs seconds. After Ctrl+C `simulee runs resume` goes on.

    Example: simulee train retriever --detach
    """
    from core.training.retriever.outlook import outlook  # It brings numpy.

    if epochs is not None and (steps is not None or not 0 < epochs < math.inf):
        raise UsageError("--epochs takes a number above 0, and goes without --steps", "name one of the two")
    workspace = face.workspace()
    params = retriever_params(
        workspace, full, base, epochs, use,
        steps=steps, learning_rate=learning_rate, lsr_weight=lsr_weight, contrastive_weight=contrastive_weight,
        tau=tau, candidates=candidates, rank=rank, seed=seed,
    )  # fmt: skip
    expected = outlook(workspace, params)
    for what, how_much in outlook_rows(expected):
        face.note(f"  {what:<9} {how_much}")
    for warning in expected.warnings:
        face.note(f"  note      {warning}")
    done = face.work(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params, detach)
    if done is not None:
        face.result(done, result_lines(done))


def result_lines(done: Mapping[str, Any]) -> list[str]:
    """What a run came to: the verdict, the figures before and after, and what to do next."""
    name, rows = done["adapter"], figure_rows(done)
    lines = [f"{name}: {done['verdict']}", drift_words(done)]
    lines += table(rows, ("questions", *FIGURES)) if rows else []
    if done["decided_by"]:
        lines.append("Decided by " + ", ".join(f"{who} ({count})" for who, count in done["decided_by"].items()))
    if done["used"]:
        return [*lines, f"Searches use {name}. Next: simulee recall; back: simulee adapters revert --retriever"]
    return [*lines, f"It is not used; simulee adapters use {name} adopts it all the same"]
