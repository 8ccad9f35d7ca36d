"""What a training run will take, said before it starts: tokens, steps, memory, time. Imports no torch.

Time and memory come from an earlier run of the same base on this workspace; without one they are guesses, and say so.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from core.dataset.export import find_dataset
from core.errors import ModelError, TrainingError
from core.models.packaged import SMOLLM2, SMOLLM2_HUB, resolve_persona
from core.runs.journal import Run, list_runs, read_events, seconds_between
from core.settings import TrainingSettings
from core.store.datasets import SplitSize, split_sizes
from core.training.launch import SFT_KIND
from core.training.means import Hardware, Means, Shape, chosen, config_of, seen_hardware
from core.training.presets import RAFT, filled, named_preset, preset_for, steps_of
from core.workspace import Workspace

GUESSED_RATE = 150.0
"""Tokens per second of a LoRA on SmolLM2-135M, fp32, on two cores of a CPU; a larger base is slower in proportion."""
GUESSED_MEMORY_MB = 2_700
"""Its peak, with samples of up to 640 tokens."""
GUESSED_START = 12.0
"""Seconds before its first step."""
GUESSED_FOR = 134_515_008
"""Parameters of SmolLM2-135M."""
BYTES_PER_PARAMETER = 4
LONGEST_TO_MEAN = 2.0
"""Of a dataset's samples, where only their number and tokens are looked at."""
GUESSED_FLOPS = 60e12
"""Floating-point operations per second that a training gets out of a GPU with bfloat16, where none trained before."""
FLOPS_PER_PARAMETER = 4
"""Per token of a LoRA: forward, and backward through the base without its weights' gradients."""
FEWEST_STEPS = 5
"""A run that came less far says nothing of its speed."""
RUNS_LOOKED_AT = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run with these parameters will do and take."""

    dataset: str
    base: str
    parameters: int
    """Of the base; 0 where its size cannot be told without loading it."""
    preset: str
    learning_rate: float
    epochs: float
    batch: int
    rank: int
    samples: int
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


@dataclass(frozen=True, slots=True)
class _Measured:
    run: str
    tokens_per_second: float
    memory_mb: int
    start: float


def estimate(workspace: Workspace, params: dict[str, Any]) -> Estimate:
    """Estimate a run of these ``sft_params``. Raises UsageError without the dataset, TrainingError without samples."""
    dataset = find_dataset(workspace, params["dataset"])
    sizes = split_sizes(workspace.database, dataset.id)
    train = sizes.get("train", SplitSize(0, 0, 0))
    if not train.examples:
        raise TrainingError(f"ds{dataset.id} has no training samples", "see `simulee dataset show`")
    base = params["base"]
    parameters = parameters_of(base)
    preset = named_preset(params["preset"]) if params.get("preset") else preset_for(parameters) if parameters else RAFT
    settings = filled(TrainingSettings(**params["settings"]), preset)
    assert settings.batch is not None
    assert settings.learning_rate is not None
    assert settings.epochs is not None
    steps = steps_of(train.examples, settings, params.get("max_steps"))
    # The last step of an epoch reads what is left of it.
    read = min(steps * settings.batch, train.examples * settings.epochs)
    tokens = round(read * train.tokens / train.examples)
    measured = _measured(workspace, base)
    larger = max(1.0, parameters / GUESSED_FOR)
    rate = measured.tokens_per_second if measured else GUESSED_RATE / larger
    start = measured.start if measured else GUESSED_START * larger
    hardware = seen_hardware()
    shape = Shape.of(parameters or GUESSED_FOR, _config(base))
    longest = max(1, round(train.tokens / train.examples * LONGEST_TO_MEAN))
    means = chosen(shape, hardware, settings, min(longest, dataset.settings.get("max_tokens", longest)), settings.batch)
    memory = measured.memory_mb if measured else _guessed_memory(parameters, hardware, means)
    if not measured and hardware.device == "cuda":
        rate = GUESSED_FLOPS / (FLOPS_PER_PARAMETER * shape.parameters)
    free = free_memory_mb() if hardware.device == "cpu" else hardware.memory // 2**20
    warnings = []
    if dataset.settings["base"] != base:
        warnings.append(f"ds{dataset.id} was packed for {dataset.settings['base']}: {base} must have the same tokens")
    if not parameters:
        warnings.append(f"the size of {base} is not known before it is loaded")
    if free and memory > free:
        warnings.append(f"only {free / 1024:.1f} GB of memory are free now")
    if "validation" not in sizes:
        warnings.append("nothing validates: there will be no eval curve and no samples")
    return Estimate(
        f"ds{dataset.id}", base, parameters, preset.name, settings.learning_rate, settings.epochs, settings.batch,
        settings.rank, train.examples, sizes["validation"].examples if "validation" in sizes else 0, tokens, steps,
        settings.checkpoint_steps, start + tokens / rate, rate, memory, measured.run if measured else "", free,
        hardware.name, means.method, means.gradient_checkpointing, tuple(warnings),
    )  # fmt: skip


def parameters_of(base: str) -> int:
    """How many parameters a base has, by its weights' headers or its name; 0 where neither tells."""
    if base in (SMOLLM2, SMOLLM2_HUB):
        return GUESSED_FOR
    try:
        found = resolve_persona(base, "llama.cpp")
    except ModelError:
        return 0
    if isinstance(found, Path) and found.is_dir() and (counted := parameters_in(found)):
        return counted
    named = re.search(r"(\d+(?:\.\d+)?)\s*([MB])(?![a-z])", Path(base).name, re.IGNORECASE)
    return round(float(named[1]) * {"M": 1e6, "B": 1e9}[named[2].upper()]) if named else 0


def parameters_in(folder: Path) -> int:
    """How many parameters a folder's weights hold, by their headers; 0 where there are none."""
    return sum(map(_numbers_in, sorted(folder.glob("*.safetensors"))))


def free_memory_mb() -> int:
    """What this machine could give a process now, in MiB; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    found = (line for line in lines if line.startswith("MemAvailable:"))
    return int(next(found, "MemAvailable: 0 kB").split()[1]) // 1024


def _numbers_in(weights: Path) -> int:
    """The parameters in one safetensors file, from its header."""
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (OSError, ValueError):
        return 0
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for side in tensor["shape"]:
                size *= side
            total += size
    return total


def _guessed_memory(parameters: int, hardware: Hardware, means: Means) -> int:
    """On a GPU what the plan expects; on a CPU what the smallest base took, and the larger one's weights."""
    if hardware.device == "cuda":
        return means.memory // 2**20
    return GUESSED_MEMORY_MB + max(0, parameters - GUESSED_FOR) * BYTES_PER_PARAMETER // 2**20


def _config(base: str) -> dict[str, Any]:
    """A base's configuration, where it is on this machine."""
    try:
        found = resolve_persona(base, "llama.cpp")
    except ModelError:
        return {}
    return config_of(found) if isinstance(found, Path) and found.is_dir() else {}


def _measured(workspace: Workspace, base: str) -> _Measured | None:
    """The newest earlier run of this base that came far enough to tell, a finished one first."""
    runs = [
        run for run in reversed(list_runs(workspace.runs)) if run.kind == SFT_KIND and run.params.get("base") == base
    ]
    runs.sort(key=lambda run: run.state != "done")  # One that was stopped may have been starved all the while.
    return next(filter(None, map(_of_run, islice(runs, RUNS_LOOKED_AT))), None)


def _of_run(run: Run) -> _Measured | None:
    events, _ = read_events(run.folder)
    metrics = [event.payload for event in events if event.kind == "metrics"]
    if not metrics or metrics[-1]["step"] < FEWEST_STEPS or not metrics[-1].get("tokens_per_second"):
        return None
    at = {event.kind: event.at for event in reversed(events)}
    start = seconds_between(at["started"], at["plan"]) if "started" in at and "plan" in at else GUESSED_START
    last = metrics[-1]
    return _Measured(run.id, float(last["tokens_per_second"]), int(last["memory_mb"]), max(0.0, start))
