"""What earlier runs of a base took here, from which an estimate of the next one is made. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from statistics import median
from typing import Any

from core.runs.journal import Event, Run, list_runs, read_events, seconds_between
from core.training.launch import SFT_KIND
from core.training.means import Hardware, Means
from core.workspace import Workspace

GUESSED_START = 12.0
"""Seconds before its first step."""
FEWEST_STEPS = 5
"""A run that came less far says nothing of its speed."""
FEWEST_PREFERENCE_STEPS = 3
"""The same of a run on preferences, which is short."""
RUNS_LOOKED_AT = 8
PREFERENCE_KINDS = ("dpo", "kto")
HELD = ("max_tokens", "micro_batch", "packing", "gradient_checkpointing")
"""Of a run's plan: what decides how much of a sample is in memory at once."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast a run was, what it took at its peak (MiB), and its seconds before the first step."""

    run: str
    tokens_per_second: float
    memory_mb: int
    start: float
    look: float | None = None
    """Seconds of one look of the guard, with its measure on what validates; None where the run does not tell."""
    processes: int = 1
    """How many trained together."""
    held: Mapping[str, Any] = field(default_factory=dict)
    """What its memory depends on, as far as its plan tells: ``max_tokens``, ``micro_batch`` and the like."""

    def held_as(self, means: Means, max_tokens: int) -> bool:
        """Whether a run by these means holds as much in memory at once, as far as is known."""
        now = means.told() | {"max_tokens": max_tokens}
        return all(now[name] == value for name, value in self.held.items())


def measured_run(workspace: Workspace, kind: str, base: str, hardware: Hardware, method: str) -> Measured | None:
    """The newest earlier run of this kind, base and method here that came far enough to tell, a finished one first."""
    runs = [run for run in reversed(list_runs(workspace.runs)) if run.kind == kind and run.params.get("base") == base]
    if not runs:
        return None
    runs.sort(key=lambda run: run.state != "done")  # One that was stopped may have been starved all the while.
    own = (run for run in runs if done_on(run, hardware, method))  # Read one by one: the events of a run can be many.
    measure = _of_preferences if kind in PREFERENCE_KINDS else _of_run
    return next(filter(None, map(measure, islice(own, RUNS_LOOKED_AT))), None)


def done_on(run: Run, hardware: Hardware, method: str | None = None) -> bool:
    """Whether this machine did a run, with what it trains on now, and by this method where one is named."""
    if run.brought:
        return False
    plans = [event.payload for event in read_events(run.folder)[0] if event.kind == "plan"]
    if not plans or plans[-1].get("device") != hardware.device:
        return False
    if method is not None and plans[-1].get("method", method) != method:
        return False
    return hardware.device == "cpu" or plans[-1].get("hardware", hardware.name) == hardware.name


def run_of_another_kind(
    workspace: Workspace, kind: str, base: str, hardware: Hardware, method: str
) -> tuple[str, Measured] | None:
    """(kind, measure) of a run that tells the base's speed, though not that of this kind of step: on preferences first,
    else of fine-tuning."""
    for other in (*PREFERENCE_KINDS, SFT_KIND):
        found = measured_run(workspace, other, base, hardware, method) if other != kind else None
        if found:
            return other, found
    return None


def _of_run(run: Run) -> Measured | None:
    events, _ = read_events(run.folder)
    metrics = [event.payload for event in events if event.kind == "metrics"]
    if not metrics or metrics[-1]["step"] < FEWEST_STEPS or not metrics[-1].get("tokens_per_second"):
        return None
    last = metrics[-1]
    plan = next(event.payload for event in reversed(events) if event.kind == "plan")
    return Measured(
        run.id, float(last["tokens_per_second"]), int(last["memory_mb"]), _seconds_to_plan(events),
        processes=int(plan.get("processes", 1)), held={name: plan[name] for name in HELD if name in plan},
    )  # fmt: skip


def _of_preferences(run: Run) -> Measured | None:
    """A run on preferences, the guard's looks told apart from its steps: they take as long in a longer run.

    Its log tells tokens per second since it began, and with the tokens of a step when each step ended.
    """
    events, _ = read_events(run.folder)
    begun = [place for place, event in enumerate(events) if event.kind == "started"]
    attempt = events[begun[-1] :] if begun else []
    plan = next((event.payload for event in attempt if event.kind == "plan"), None)
    metrics = [event.payload for event in attempt if event.kind == "metrics"]
    timed = [each for each in metrics if each.get("tokens_per_second") and "loss" in each]
    if plan is None or len(timed) < FEWEST_PREFERENCE_STEPS:
        return None
    per_step = plan["tokens"] / plan["train"] * min(plan["train"], plan["batch"])
    first = timed[0]["step"] - 1
    ends = [0.0, *((each["step"] - first) * per_step / each["tokens_per_second"] for each in timed)]
    step = median(after - before for before, after in pairwise(ends))
    if step <= 0:
        return None
    looks = sum("answer_tokens" in each and each["step"] < timed[-1]["step"] for each in metrics)
    look = max(0.0, ends[-1] - step * len(timed)) / looks if looks else None
    memory = max(int(each["memory_mb"]) for each in timed)
    return Measured(
        run.id, per_step / step, memory, _seconds_to_plan(attempt), look, processes=int(plan.get("processes", 1))
    )


def _seconds_to_plan(events: Sequence[Event]) -> float:
    """From its start to the moment when a run is ready for its first step."""
    at = {event.kind: event.at for event in reversed(events)}
    return max(0.0, seconds_between(at["started"], at["plan"])) if at.keys() >= {"started", "plan"} else GUESSED_START
