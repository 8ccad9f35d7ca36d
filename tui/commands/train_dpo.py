"""``simulee train dpo`` and ``simulee train kto``: learn from what people preferred."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from core.training.estimate import preference_estimate
from core.training.preferences.gathering import Method
from core.training.preferences.launch import ENTRIES, dpo_params, kto_params
from core.training.preferences.presets import PRESETS
from tui.estimates import brief_estimate, estimate_lines, left_out_words, took_line
from tui.face import DONE_IN_PART, Face, command
from tui.results import whose

_From = Annotated[
    str | None,
    typer.Option("--from", metavar="ADAPTER", help="Go on from it; default: the twin's. `base`: from none."),
]
_Base = Annotated[str | None, typer.Option("--base", metavar="M", help="Default: the adapter's, or the persona's.")]
_MaxSteps = Annotated[int | None, typer.Option("--max-steps", min=1, help="Stop after N steps.")]
_Epochs = Annotated[float | None, typer.Option("--epochs", help="Times through the data.")]
_Rate = Annotated[float | None, typer.Option("--learning-rate", help="Peak; cosine after.")]
_Beta = Annotated[float | None, typer.Option("--beta", help="How dear it is to leave the reference.")]
_Rank = Annotated[int | None, typer.Option("--rank", min=1, help="Of a LoRA on the bare base.")]
_Seed = Annotated[int | None, typer.Option("--seed", help="Of everything random.")]
_Preset = Annotated[
    str | None, typer.Option("--preset", metavar="P", help=f"{' or '.join(PRESETS)}; default: by the base's size.")
]
_Estimate = Annotated[
    bool, typer.Option("--estimate", help="Say what it would take: steps, time, memory. Starts nothing.")
]
_Launch = Annotated[
    str | None,
    typer.Option("--launch", metavar="CONFIG", help="Hand over to accelerate: many GPUs, whole weights in each."),
]
_NoUse = Annotated[bool, typer.Option("--no-use", help="Do not make it the twin's adapter.")]
_Detach = Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")]


def register(app: typer.Typer) -> None:
    """Add both to ``simulee train``."""
    command(app)(dpo)
    command(app)(kto)


def dpo(
    face: Face,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="F", help="JSON lines instead of the decided pairs.")
    ] = None,
    start_from: _From = None,
    base: _Base = None,
    max_steps: _MaxSteps = None,
    epochs: _Epochs = None,
    learning_rate: _Rate = None,
    beta: _Beta = None,
    loss: Annotated[
        str | None, typer.Option("--loss", metavar="L", help="By TRL's name, as hinge or ipo; default: sigmoid.")
    ] = None,
    rank: _Rank = None,
    seed: _Seed = None,
    preset: _Preset = None,
    launch: _Launch = None,
    no_use: _NoUse = False,
    estimate: _Estimate = False,
    detach: _Detach = False,
) -> None:
    """Train on decided pairs: the preferred answer likelier than the other, never far from what the twin was.

    A guard answers the same questions now and then, and stops a run whose answers grow, repeat or drift.
    --estimate only says what it would take.

    Example: simulee train dpo --from sft-1 --epochs 2
    """
    workspace = face.workspace()
    params = dpo_params(
        workspace, file=pairs, start_from=start_from, base=base, max_steps=max_steps, use=not no_use, preset=preset,
        seed=seed, launch=launch,
        settings={"epochs": epochs, "learning_rate": learning_rate, "beta": beta, "loss": loss, "rank": rank},
    )  # fmt: skip
    _train(face, "dpo", params, estimate, detach)


def kto(
    face: Face,
    start_from: _From = None,
    base: _Base = None,
    max_steps: _MaxSteps = None,
    epochs: _Epochs = None,
    learning_rate: _Rate = None,
    beta: _Beta = None,
    rank: _Rank = None,
    seed: _Seed = None,
    preset: _Preset = None,
    launch: _Launch = None,
    no_use: _NoUse = False,
    estimate: _Estimate = False,
    detach: _Detach = False,
) -> None:
    """Train on single judgements: answers called good or bad in Chat, and both sides of decided pairs.

    --estimate only says what it would take.

    Example: simulee train kto --estimate
    """
    workspace = face.workspace()
    params = kto_params(
        workspace, start_from=start_from, base=base, max_steps=max_steps, use=not no_use, preset=preset, seed=seed,
        launch=launch,
        settings={"epochs": epochs, "learning_rate": learning_rate, "beta": beta, "rank": rank},
    )  # fmt: skip
    _train(face, "kto", params, estimate, detach)


def _train(face: Face, kind: Method, params: dict[str, Any], estimate_only: bool, detach: bool) -> None:
    """Say what it takes, then do it."""
    workspace = face.workspace()
    expected = preference_estimate(workspace, kind, params)
    if estimate_only:
        face.result({"estimate": asdict(expected)}, estimate_lines(expected))
        return
    made_of = ", ".join(f"{count} {origin}" for origin, count in expected.origins.items())
    face.note(f"  {expected.preferences} preferences ({made_of}), from {params['start_from'] or params['base']}")
    for reason in left_out_words(expected.left_out):
        face.note(f"  left out: {reason}")
    face.note(f"  {brief_estimate(expected)}")
    _tell_after(face, face.work(workspace, kind, ENTRIES[kind], params, detach))


def _tell_after(face: Face, done: dict[str, Any] | None) -> None:
    if done is None:
        return
    figures = [f"last loss {done['loss']:.3f}"] + [
        f"{name.replace('_', ' ')} {done[name]:.2f}"
        for name in ("margin", "accuracy", "eval_margin", "eval_accuracy")
        if name in done
    ]
    made = done.get("adapter")
    lines = [
        f"{whose(done)}: {done['steps']} steps, {', '.join(figures)}, {done['tokens_per_second']} tokens/s,"
        f" peak memory {done['peak_memory_mb']} MiB"
    ]
    if "seconds" in done:
        lines.append(took_line(done))
    if "stopped" in done:
        lines += [f"! {done['stopped']}", f"  It is not the twin's: simulee adapters use {made}"]
    elif made:
        lines.append("Next: simulee evaluate, or simulee chat")
    face.result(done, lines)
    if "stopped" in done or done["left_out"]["refused"]:
        raise typer.Exit(DONE_IN_PART)
