"""What a training run will take, said before it starts: tokens, steps, memory, time. Imports no torch.

Time and memory come from an earlier run of the same base on this workspace; without one they are guesses, and say so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.dataset.export import find_dataset
from core.errors import TrainingError
from core.settings import DpoSettings, TrainingSettings
from core.store.adapters import find_adapter
from core.store.datasets import SplitSize, split_sizes
from core.training.amounts import GENERAL_TOKENS, general_samples, rows_per_step, steps_of
from core.training.base_size import SMOLLM2_PARAMETERS, config_here, parameters_of, tokenizer_here
from core.training.launch import SFT_KIND
from core.training.means import (
    ADAM_BYTES,
    Hardware,
    Means,
    Shape,
    UnavailableError,
    chosen,
    packs,
    seems_apart,
    seen_hardware,
)
from core.training.measured import GUESSED_START, Measured, measured_run, run_of_another_kind
from core.training.preferences import presets as preference_presets
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import Method, found_again, split
from core.training.preferences.means import means_for
from core.training.preferences.settings import settings_of
from core.training.preferences.sizes import Sized, sized
from core.training.presets import RAFT, filled, named_preset, preset_for
from core.training.starting import going_on_from, start_of
from core.workspace import Workspace

GUESSED_RATE = 150.0
"""Tokens per second of a LoRA on SmolLM2-135M, fp32, on two cores of a CPU; a larger base is slower in proportion."""
GUESSED_MEMORY_MB = 2_700
"""Its peak, with samples of up to 640 tokens."""
GUESSED_FOR = SMOLLM2_PARAMETERS
BYTES_PER_PARAMETER = 4
LONGEST_TO_MEAN = 2.0
"""Of a dataset's samples, where only their number and tokens are looked at."""
GUESSED_FLOPS = 60e12
"""Floating-point operations per second that a training gets out of a GPU with bfloat16, where none trained before."""
FLOPS_PER_PARAMETER = {SFT_KIND: 4, "dpo": 5, "kto": 8}
"""Per token of a LoRA. Forward, and backward through the base without its weights' gradients; for KTO forward on the
neighbor's answer too; and the reference's forward on all of that, once in the three epochs or so."""
FULL_FLOPS = 6
"""The same where every weight is trained, and has a gradient."""
FORWARD_FLOPS = {"dpo": 2, "kto": 4}
"""The same where nothing is learned, on the judgements that validate."""
LOOK_TOKENS_PER_SECOND = {"cpu": 12.0, "cuda": 100.0}
"""Tokens that the guard hears in a second, all of its questions together; on a CPU from SmolLM2-135M."""
MEMORY_PER_TOKEN_MB = 1.5
"""That a step on preferences adds on a CPU for each token that is in memory beside those of ``GUESSED_TOKENS``: a base
of 135M parameters took 3.6 GB where the longest prompt and answer were 616 tokens."""
GUESSED_TOKENS = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What any run on a base will do and take."""

    base: str
    parameters: int
    """Of the base; 0 where its size cannot be told without loading it."""
    preset: str
    learning_rate: float
    epochs: float
    batch: int
    """Samples that a step reads, in all processes together."""
    rank: int
    validation: int
    tokens: int
    """Tokens that the run will read, every epoch counted."""
    steps: int
    checkpoint_steps: int
    seconds: float
    tokens_per_second: float
    memory_mb: int
    measured_by: str
    """The earlier run that time and memory are taken from; empty: both are guesses."""
    free_memory_mb: int
    """What this machine has free now, or its GPU has at all; 0 where it does not say."""
    hardware: str
    method: str
    gradient_checkpointing: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SftEstimate(Estimate):
    """Of supervised fine-tuning."""

    dataset: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceEstimate(Estimate):
    """Of a run on preferences. ``batch`` counts pairs, or with KTO single answers, as ``train`` and ``validation`` do;
    a token is one that the policy reads and learns from."""

    kind: Method
    preferences: int
    origins: dict[str, int]
    left_out: dict[str, int]
    train: int
    good: int
    """Answers that are called good among those trained on; with DPO one of each pair."""
    bad: int
    start_from: str
    """The adapter that it goes on from, and is held against; empty for the bare base."""
    loss: str
    beta: float
    looks: int
    """How often the guard lets the twin answer; what that takes is in ``seconds``."""
    rate_from: str
    """The run of another kind that ``tokens_per_second`` is worked out from, where none of this kind measures it."""


def estimate(workspace: Workspace, params: dict[str, Any], there: Hardware | None = None) -> SftEstimate:
    """Estimate a run of these ``sft_params``, on this machine as it seems unless ``there`` tells it.

    Raises UsageError without the dataset, TrainingError without samples or without the adapter to go on from.
    """
    dataset = find_dataset(workspace, params["dataset"])
    sizes = split_sizes(workspace.database, dataset.id)
    train = sizes.get("train", SplitSize(0, 0, 0))
    if not train.examples:
        raise TrainingError(f"ds{dataset.id} has no training samples", "see `simulee dataset show`")
    base = params["base"]
    parameters = parameters_of(base)
    preset = named_preset(params["preset"]) if params.get("preset") else preset_for(parameters) if parameters else RAFT
    start = start_of(workspace, params.get("start_from"), base)
    settings = going_on_from(start, filled(TrainingSettings(**params["settings"]), preset))
    assert settings.batch is not None
    assert settings.learning_rate is not None
    assert settings.epochs is not None
    general = general_samples(train.examples, settings.general_share)
    samples = train.examples + general
    every = train.tokens + general * GENERAL_TOKENS
    hardware, config, processes = there or seen_hardware(), config_here(base), int(params.get("processes", 1))
    shape, apart = Shape.of(parameters or GUESSED_FOR, config), seems_apart(config)
    longest = max(1, round(train.tokens / train.examples * LONGEST_TO_MEAN))
    room = int(dataset.settings.get("max_tokens", longest))
    batch, packing = settings.batch, apart and packs(settings, settings.batch)
    # Of rows that are filled as well as they can be.
    all_rows = -(-every // room) if packing else samples
    per_step = rows_per_step(samples, all_rows, batch, processes)
    steps = steps_of(all_rows, settings.model_copy(update={"batch": per_step}), params.get("max_steps"))
    # The last step of an epoch reads what is left of it.
    read = min(steps * per_step, all_rows * settings.epochs)
    tokens = round(read * every / all_rows)
    tokens_in_row = room if packing else min(longest, room)
    rows = per_step // processes
    means, warnings = _planned(
        settings,
        lambda some: chosen(shape, hardware, some, tokens_in_row, batch, rows, apart, bool(params.get("sharded"))),
    )
    measured = measured_run(workspace, SFT_KIND, base, hardware, means.method)
    memory = _guessed_memory(parameters, hardware, means)
    flops = FULL_FLOPS if means.method == "full" else FLOPS_PER_PARAMETER[SFT_KIND]
    rate = _guessed_rate(flops, parameters, hardware, shape) * processes
    if measured:
        memory = measured.memory_mb if measured.held_as(means, room) else max(measured.memory_mb, memory)
        rate = measured.tokens_per_second * processes / measured.processes
    free = _free_memory_mb(hardware)
    if dataset.settings["base"] != base:
        warnings.append(f"ds{dataset.id} was packed for {dataset.settings['base']}: {base} must have the same tokens")
    warnings += _cautions(base, parameters, memory, free)
    if "validation" not in sizes:
        warnings.append("nothing validates: there will be no eval curve and no samples")
    return SftEstimate(
        dataset=f"ds{dataset.id}",
        base=base,
        parameters=parameters,
        preset=preset.name,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch=max(batch, round(processes * samples / all_rows)) if packing else per_step,
        rank=settings.rank,
        samples=samples,
        validation=sizes["validation"].examples if "validation" in sizes else 0,
        tokens=tokens,
        steps=steps,
        checkpoint_steps=settings.checkpoint_steps,
        seconds=_start(measured, parameters) + tokens / rate,
        tokens_per_second=rate,
        memory_mb=memory,
        measured_by=measured.run if measured else "",
        free_memory_mb=free,
        hardware=hardware.name,
        method=means.method,
        gradient_checkpointing=means.gradient_checkpointing,
        warnings=tuple(warnings),
    )


def preference_estimate(
    workspace: Workspace, kind: Method, params: dict[str, Any], there: Hardware | None = None
) -> PreferenceEstimate:
    """Estimate a run of these ``preference_params``. Raises TrainingError where no judgement fits the base."""
    base, own = params["base"], DpoSettings(**params["dpo"])
    parameters, config, tokenizer = parameters_of(base), config_here(base), tokenizer_here(base)
    named = params.get("preset")
    presets = preference_presets
    preset = presets.named_preset(named) if named else presets.preset_for(parameters) if parameters else presets.APC
    settings = settings_of(params["settings"], preset)
    if rank := _rank(workspace, params["start_from"]):
        settings = settings.model_copy(update={"rank": rank})
    file = Path(params["file"]) if params["file"] else None
    found = found_again(workspace, kind, params["preferences"], file)
    every = sized(workspace, Framing.begun(workspace, params), found, tokenizer, params["day"])
    most = min(own.max_tokens, int(config.get("max_position_embeddings") or own.max_tokens))
    fitting = [each for each in every if each.tokens <= most]
    if not fitting:
        raise TrainingError(
            f"no preference fits into {most} tokens; the shortest has {min(each.tokens for each in every)}",
            "raise max_tokens under [training.dpo]",
        )
    train, validation = split(fitting, own.validation)
    hardware, shape = there or seen_hardware(), Shape.of(parameters or GUESSED_FOR, config)
    longest, processes = max(each.tokens for each in fitting), int(params.get("processes", 1))
    (means, at_once, settings), unavailable = _planned(
        settings, lambda some: means_for(kind, shape, hardware, some, longest, processes)
    )
    assert settings.batch is not None
    assert settings.learning_rate is not None
    assert settings.epochs is not None
    (rows, row_tokens), (checked, checked_tokens) = (_read(kind, each) for each in (train, validation))
    steps = steps_of(rows, settings, params.get("max_steps"))
    tokens = round(min(steps * settings.batch, rows * settings.epochs) * row_tokens / rows)
    looks = math.ceil(steps / max(1, steps // own.evaluations))
    measured = measured_run(workspace, kind, base, hardware, means.method)
    other = None if measured else run_of_another_kind(workspace, kind, base, hardware, means.method)
    if measured:
        rate = measured.tokens_per_second / measured.processes
    elif other:
        share = FLOPS_PER_PARAMETER[other[0]] / FLOPS_PER_PARAMETER[kind]
        rate = other[1].tokens_per_second / other[1].processes * share
    else:
        rate = _guessed_rate(FLOPS_PER_PARAMETER[kind], parameters, hardware, shape)
    rate *= processes
    look = measured.look if measured else None
    if look is None:
        # Answers as long as those that are judged; the reference's are heard too, once.
        usual = sum(max(each.chosen, each.rejected) for each in fitting) / len(fitting)
        heard = min(own.guard_questions, len(fitting)) * min(own.guard_tokens, usual) * (1 + 1 / looks)
        slower = max(1.0, parameters / GUESSED_FOR) if hardware.device == "cpu" else 1.0
        look = heard * slower / LOOK_TOKENS_PER_SECOND[hardware.device]
        look += checked_tokens * FORWARD_FLOPS[kind] / FLOPS_PER_PARAMETER[kind] / rate
    memory = (
        measured.memory_mb
        if measured
        else _guessed_preference_memory(parameters, hardware, means, shape, longest * (2 if kind == "dpo" else at_once))
    )
    free = _free_memory_mb(hardware)
    warnings = unavailable + _cautions(base, parameters, memory, free)
    if tokenizer is None:
        warnings.append(f"tokens are guessed by characters: the tokenizer of {base} is not at hand here")
    if not checked:
        warnings.append("nothing validates: there are too few judgements to set some aside")
    return PreferenceEstimate(
        kind=kind,
        base=base,
        start_from=params["start_from"] or "",
        parameters=parameters,
        preset=preset.name,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch=settings.batch,
        rank=settings.rank,
        preferences=len(fitting),
        origins=dict(sorted(Counter(each.preference.origin for each in fitting).items())),
        left_out={**params["left_out"], "too_long": len(every) - len(fitting)},
        train=rows,
        good=sum(bool(each.chosen) for each in train),
        bad=sum(bool(each.rejected) for each in train),
        validation=checked,
        loss=own.loss if kind == "dpo" else "kto",
        beta=own.beta,
        looks=looks,
        tokens=tokens,
        steps=steps,
        checkpoint_steps=settings.checkpoint_steps,
        seconds=_start(measured, parameters) + tokens / rate + looks * look,
        tokens_per_second=rate,
        rate_from=other[1].run if other else "",
        memory_mb=memory,
        measured_by=measured.run if measured else "",
        free_memory_mb=free,
        hardware=hardware.name,
        method=means.method,
        gradient_checkpointing=means.gradient_checkpointing,
        warnings=tuple(warnings),
    )


_Planned = TypeVar("_Planned")


def _planned(settings: TrainingSettings, choose: Callable[[TrainingSettings], _Planned]) -> tuple[_Planned, list[str]]:
    """What is chosen by these settings, with a warning where they name what does not seem to be there: without it.

    What is seen without torch may be wrong, and the run itself refuses what it cannot have.
    """
    try:
        return choose(settings), []
    except UnavailableError as error:
        method = settings.method if settings.method == "full" else "lora"
        without = {"method": method, "packing": None, "liger": None, "attention": "auto"}
        return choose(settings.model_copy(update=without)), [f"{error.message}: {error.hint}"]


def free_memory_mb() -> int:
    """What this machine could give a process now, in MiB; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    found = (line for line in lines if line.startswith("MemAvailable:"))
    return int(next(found, "MemAvailable: 0 kB").split()[1]) // 1024


def _free_memory_mb(hardware: Hardware) -> int:
    return free_memory_mb() if hardware.device == "cpu" else hardware.memory // 2**20


def _cautions(base: str, parameters: int, memory: int, free: int) -> list[str]:
    cautions = [] if parameters else [f"the size of {base} is not known before it is loaded"]
    return cautions + ([f"only {free / 1024:.1f} GB of memory are free now"] if free and memory > free else [])


def _start(measured: Measured | None, parameters: int) -> float:
    return measured.start if measured else GUESSED_START * max(1.0, parameters / GUESSED_FOR)


def _guessed_rate(flops: int, parameters: int, hardware: Hardware, shape: Shape) -> float:
    """Tokens per second of a step that computes so many operations per token and parameter."""
    if hardware.device == "cuda":
        return GUESSED_FLOPS / (flops * shape.parameters)
    return GUESSED_RATE * FLOPS_PER_PARAMETER[SFT_KIND] / flops / max(1.0, parameters / GUESSED_FOR)


def _guessed_memory(parameters: int, hardware: Hardware, means: Means) -> int:
    """On a GPU what the plan expects; on a CPU what a LoRA on the smallest base took, the larger one's weights, and
    the gradients and moments of all where all are trained."""
    if hardware.device == "cuda":
        return means.memory // 2**20
    beside = max(0, parameters - GUESSED_FOR) * BYTES_PER_PARAMETER
    if means.method == "full":
        beside += (parameters or GUESSED_FOR) * (BYTES_PER_PARAMETER + ADAM_BYTES)
    return GUESSED_MEMORY_MB + beside // 2**20


def _guessed_preference_memory(parameters: int, hardware: Hardware, means: Means, shape: Shape, tokens: int) -> int:
    """The same, with ``tokens`` in memory at once, and on a GPU the logits that the reference gives them beside."""
    guessed = _guessed_memory(parameters, hardware, means)
    if hardware.device == "cuda":
        return guessed + tokens * shape.vocabulary * 4 // 2**20
    return guessed + round(max(0, tokens - GUESSED_TOKENS) * MEMORY_PER_TOKEN_MB)


def _read(kind: Method, judged: Sequence[Sized]) -> tuple[int, int]:
    """(rows, their tokens) of some judgements: a pair reads its prompt once, a single answer is a row of its own."""
    if kind == "dpo":
        return len(judged), sum(each.prompt + each.chosen + each.rejected for each in judged)
    answers = [each.prompt + said for each in judged for said in (each.chosen, each.rejected) if said]
    return len(answers), sum(answers)


def _rank(workspace: Workspace, adapter: str | None) -> int:
    """Of an adapter that is gone on from, which it keeps; 0 where there is none or it does not say."""
    found = find_adapter(workspace.database, adapter) if adapter else None
    return int(found.settings.get("rank") or 0) if found else 0
