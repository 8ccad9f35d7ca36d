"""``simulee train``: fine-tune on a frozen dataset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.dataset.export import find_dataset
from core.training.estimate import estimate
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.presets import PRESETS
from tui.commands import train_dpo
from tui.estimates import brief_estimate, estimate_lines
from tui.face import Face, command, group

app = group("Fine-tune on a frozen dataset.")


@app.callback()
def train() -> None:
    """Fine-tune on a frozen dataset; always resumable."""


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
        workspace, find_dataset(workspace, dataset).hash, base, max_steps, not no_use, preset,
        epochs=epochs, learning_rate=learning_rate, rank=rank, seed=seed,
    )  # fmt: skip
    expected = estimate(workspace, params)
    if estimate_only:
        face.result({"estimate": asdict(expected)}, estimate_lines(expected))
        return
    face.note(f"  {brief_estimate(expected)}")
    done = face.work(workspace, SFT_KIND, SFT_ENTRY, params, detach)
    if done is not None:
        face.result(
            done,
            [
                f"{done['adapter']}: {done['steps']} steps, last loss {done['loss']:.3f},"
                f" {done['tokens_per_second']} tokens/s, peak memory {done['peak_memory_mb']} MiB",
                "Next: simulee evaluate, or simulee chat",
            ],
        )


train_dpo.register(app)
