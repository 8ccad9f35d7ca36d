"""What a run will take, in words: for the command line before it starts, and for the screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.fidelity.plan import Plan
    from core.training.estimate import Estimate, PreferenceEstimate


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
    from core.training.estimate import PreferenceEstimate, SftEstimate

    parameters = f" · {size(estimate.parameters)} parameters" if estimate.parameters else ""
    rows = []
    if isinstance(estimate, SftEstimate):
        rows = [
            ("dataset", f"{estimate.dataset} · {estimate.samples} samples · {estimate.validation} validate"),
            ("base", f"{estimate.base}{parameters}"),
        ]
    if isinstance(estimate, PreferenceEstimate):
        rows = [
            *_judged_rows(estimate),
            ("from", f"{estimate.start_from or 'no adapter: the bare base'} · {estimate.base}{parameters}"),
            ("loss", f"{estimate.loss} · beta {estimate.beta:g}"),
        ]
    return [
        *rows,
        (
            "preset",
            f"{estimate.preset} · learning rate {estimate.learning_rate:g} · epochs {estimate.epochs:g}"
            f" · {estimate.batch} a step · {method_words(estimate)}",
        ),
        ("on", estimate.hardware),
        ("tokens", f"{estimate.tokens:,}"),
        ("steps", f"{estimate.steps:,}, a checkpoint every {estimate.checkpoint_steps}"),
        ("time", _time(estimate)),
        ("memory", _memory(estimate)),
    ]


def _judged_rows(estimate: PreferenceEstimate) -> list[tuple[str, str]]:
    """What a run on preferences learns from, and what it leaves out."""
    origins = ", ".join(f"{count} {origin}" for origin, count in estimate.origins.items())
    sides = f" ({estimate.good} good, {estimate.bad} bad)" if estimate.kind == "kto" else ""
    rows = [
        (
            "pairs" if estimate.kind == "dpo" else "judged",
            f"{estimate.preferences} cleared for training ({origins}) · {estimate.train} train{sides}"
            f" · {estimate.validation} validate",
        )
    ]
    left_out = ", ".join(left_out_words(estimate.left_out))
    return rows + ([("left out", left_out)] if left_out else [])


def left_out_words(counts: Mapping[str, int]) -> list[str]:
    """Why judgements are not learned from, each reason with its count."""
    words = {
        "held_out": "held out for measuring",
        "not_cleared": "resting on words not cleared for training, or nobody can tell on which",
        "overruled": "overruled by another judgement on the same answer",
        "refused": "lines of the file that are no pairs",
        "too_long": "longer than max_tokens",
    }
    return [f"{counts[name]} {said}" for name, said in words.items() if counts.get(name)]


def _time(estimate: Estimate) -> str:
    from core.training.estimate import PreferenceEstimate

    source = f", as {estimate.measured_by} did" if estimate.measured_by else " (a guess: nothing trained here yet)"
    if isinstance(estimate, PreferenceEstimate) and not estimate.measured_by:
        source = f" (a guess: no {estimate.kind} run here yet)"
        if estimate.rate_from:
            source = f" (a guess, worked out from {estimate.rate_from})"
    words = f"about {about(estimate.seconds)} at {estimate.tokens_per_second:.0f} tokens/s{source}"
    if isinstance(estimate, PreferenceEstimate) and estimate.looks:
        words += "; the guard looks " + ("once" if estimate.looks == 1 else f"{estimate.looks} times")
    return words


def _memory(estimate: Estimate) -> str:
    took = f", as {estimate.measured_by} took" if estimate.measured_by else " (a guess)"
    free = f"; {estimate.free_memory_mb / 1024:.1f} GB are free now" if estimate.free_memory_mb else ""
    return f"about {estimate.memory_mb / 1024:.1f} GB{took}{free}"


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
        f"{counted(estimate.steps, 'step')} over {estimate.tokens:,} tokens: about {about(estimate.seconds)} and"
        f" {estimate.memory_mb / 1024:.1f} GB ({source})"
    )


def took_line(done: Mapping[str, Any]) -> str:
    """What a training took, beside what was said before it."""
    return (
        f"it took {about(done['seconds'])}, estimated {about(done['estimated_seconds'])};"
        f" memory was estimated {done['estimated_memory_mb']} MiB"
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
