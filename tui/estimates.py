"""What a run will take, in words: for the command line before it starts, and for the screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.fidelity.plan import Plan
    from core.training.estimate import Estimate


def about(seconds: float) -> str:
    """A duration as one says it: ``40 s``, ``4 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(number: int, noun: str) -> str:
    """``1 question``, ``2 questions``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(parameters: int) -> str:
    """A model's parameters: ``135M``, ``1.7B``."""
    return f"{parameters / 1e6:.0f}M" if parameters < 1e9 else f"{parameters / 1e9:.1f}B"


def estimate_rows(estimate: Estimate) -> list[tuple[str, str]]:
    """(what, how much) of a training run, one fact a row."""
    measured = f", as {estimate.measured_by} did" if estimate.measured_by else " (a guess: nothing trained here yet)"
    took = f", as {estimate.measured_by} took" if estimate.measured_by else " (a guess)"
    free = f"; {estimate.free_memory_mb / 1024:.1f} GB are free now" if estimate.free_memory_mb else ""
    parameters = f" · {size(estimate.parameters)} parameters" if estimate.parameters else ""
    return [
        ("dataset", f"{estimate.dataset} · {estimate.samples} samples · {estimate.validation} validate"),
        ("base", f"{estimate.base}{parameters}"),
        (
            "preset",
            f"{estimate.preset} · learning rate {estimate.learning_rate:g} · epochs {estimate.epochs:g}"
            f" · {estimate.batch} a step · {method_words(estimate)}",
        ),
        ("on", estimate.hardware),
        ("tokens", f"{estimate.tokens:,}"),
        ("steps", f"{estimate.steps:,}, a checkpoint every {estimate.checkpoint_steps}"),
        ("time", f"about {about(estimate.seconds)} at {estimate.tokens_per_second:.0f} tokens/s{measured}"),
        ("memory", f"about {estimate.memory_mb / 1024:.1f} GB{took}{free}"),
    ]


def method_words(estimate: Estimate) -> str:
    """How the weights are trained: ``LoRA rank 16``, ``QLoRA rank 16``, ``every weight``."""
    names = {"lora": f"LoRA rank {estimate.rank}", "qlora": f"QLoRA rank {estimate.rank}", "full": "every weight"}
    return names[estimate.method] + (", activations computed again" if estimate.gradient_checkpointing else "")


def estimate_lines(estimate: Estimate) -> list[str]:
    """An estimate for a terminal."""
    lines = [f"{what:<8} {how_much}" for what, how_much in estimate_rows(estimate)]
    return lines + [f"note     {warning}" for warning in estimate.warnings]


def brief_estimate(estimate: Estimate) -> str:
    """An estimate on one line."""
    source = f"as {estimate.measured_by}" if estimate.measured_by else "a guess"
    return (
        f"{estimate.steps:,} steps over {estimate.tokens:,} tokens: about {about(estimate.seconds)} and"
        f" {estimate.memory_mb / 1024:.1f} GB ({source})"
    )


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """(what, how much) of an evaluation, one fact a row."""
    rows = [
        ("adapter", plan.adapter or "none trained with memories: only the base is measured"),
        ("systems", " ".join(plan.systems)),
        ("asked", f"{counted(plan.questions, 'question')} of {counted(plan.interviews, 'held-out interview')}"),
        ("time", _evaluation_time(plan)),
    ]
    if plan.missing:
        rows.insert(2, ("left out", f"{' '.join(plan.missing)}, for want of an adapter"))
    return rows


def plan_lines(plan: Plan) -> list[str]:
    """An evaluation before it starts, for a terminal."""
    lines = [f"{what:<8} {how_much}" for what, how_much in plan_rows(plan)]
    return lines + [f"note     {note}" for note in plan.notes]


def brief_plan(plan: Plan) -> str:
    """An evaluation on one line."""
    return f"{counted(len(plan.systems), 'system')}, {counted(plan.questions, 'question')}: {_evaluation_time(plan)}"


def _evaluation_time(plan: Plan) -> str:
    if plan.measured:
        return f"at most about {about(plan.seconds)}"
    return f"about {about(plan.seconds)} (a guess)"
