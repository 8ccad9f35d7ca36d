"""``simulee train``: fine-tune on a frozen dataset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.dataset.export import find_dataset
from core.training.estimate import estimate
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.presets import PRESETS
from tui.commands import train_dpo
from tui.commands.train_hosted import hosted
from tui.commands.train_retriever import retriever
from tui.estimates import brief_estimate, estimate_lines, took_line
from tui.face import Face, command, group
from tui.results import whose

MUCH = 0.3
"""Bits per token of general text: a fifth more perplexity."""
MUCH_FORGOTTEN = "--general-share 0.2 would keep more of it"

app = group("Fine-tune on a frozen dataset.")


@app.callback()
def train() -> None:
    """Fine-tune on a frozen dataset; always resumable."""


command(app)(hosted)


@command(app)
def sft(
    face: Face,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="ID", help="Default: the newest.")] = None,
    base: Annotated[str | None, typer.Option("--base", metavar="M", help="Default: the persona's model.")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1, help="Stop after N steps.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Times through the data.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Peak; cosine after.")] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=1, help="Of the LoRA.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything random.")] = None,
    no_use: Annotated[bool, typer.Option("--no-use", help="Do not make it the twin's adapter.")] = False,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="P", help=f"{' or '.join(PRESETS)}; default: by the base's size.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="M", help="lora, qlora, full, or auto: by what fits the device.")
    ] = None,
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="ADAPTER", help="Go on from an adapter of the same base.")
    ] = None,
    packing: Annotated[
        bool | None, typer.Option("--packing/--no-packing", help="Whether samples share rows, kept apart.")
    ] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option("--gradient-checkpointing/--no-gradient-checkpointing", help="Less memory, a third more time."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", min=0, help="Evaluations without a better one that end it."),
    ] = None,
    evaluations: Annotated[
        int | None, typer.Option("--evaluations", min=1, help="Of the whole run, on the validation split.")
    ] = None,
    general_share: Annotated[
        float | None, typer.Option("--general-share", metavar="P", help="Share of general text, against forgetting.")
    ] = None,
    launch: Annotated[
        str | None,
        typer.Option("--launch", metavar="CONFIG", help="Of accelerate: many GPUs, or machines (docs/launch)."),
    ] = None,
    estimate_only: Annotated[
        bool, typer.Option("--estimate", help="Say what it would take: steps, time, memory. Starts nothing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Train a LoRA with the loss on the target's words only. Ctrl+C saves and stops; `simulee runs resume` goes on.

    --estimate only says what it would take.

    Example: simulee train sft --epochs 2 --detach
    """
    workspace = face.workspace()
    params = sft_params(
        workspace, find_dataset(workspace, dataset).hash, base, max_steps, not no_use, preset, start_from, launch,
        epochs=epochs, learning_rate=learning_rate, rank=rank, seed=seed, method=method, packing=packing,
        gradient_checkpointing=checkpointing, patience=patience, evaluations=evaluations, general_share=general_share,
    )  # fmt: skip
    expected = estimate(workspace, params)
    if estimate_only:
        face.result({"estimate": asdict(expected)}, estimate_lines(expected))
        return
    face.note(f"  {brief_estimate(expected)}")
    done = face.work(workspace, SFT_KIND, SFT_ENTRY, params, detach)
    if done is not None:
        face.result(done, trained_lines(done))


def trained_lines(done: dict[str, Any]) -> list[str]:
    """What a training came to, beside what was said before it."""
    lines = [
        f"{whose(done)}: {done['steps']} steps, last loss {done['loss']:.3f},"
        f" {done['tokens_per_second']} tokens/s, peak memory {done['peak_memory_mb']} MiB"
    ]
    if "best_step" in done:
        lines.append(
            f"the weights of step {done['best_step']} are kept: none later were better on the validation split"
        )
    if "seconds" in done:
        lines.append(took_line(done))
    if "general_bits_per_token" in done:
        general = done["general_bits_per_token"]
        change = general["after"] - general["before"]
        lines.append(
            f"general English: {general['before']:.3f} bits per token before, {general['after']:.3f} after"
            f" ({change:+.3f}{'; ' + MUCH_FORGOTTEN if change > MUCH else ''})"
        )
    return [*lines, "Next: simulee evaluate, or simulee chat" if "adapter" in done else "The adapter is on machine 0"]


command(app, "retriever")(retriever)
train_dpo.register(app)
