"""The run that is being prepared: what it trains on, with which values, and what that will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.estimates import estimate_rows
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.training.estimate import Estimate
    from core.workspace import Workspace

BY_SIZE = ""
"""The preset that fits the base's size."""


@dataclass(slots=True)
class Choices:
    """What a person chose; empty is the default."""

    dataset: str = ""
    """A dataset's hash; empty: the newest."""
    base: str = ""
    preset: str = BY_SIZE


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run ready to start, or why it cannot."""

    params: dict[str, Any]
    estimate: Estimate | None
    datasets: tuple[tuple[str, str], ...]
    """(hash, words) of every dataset, newest first."""
    presets: tuple[tuple[str, str], ...]
    problem: str = ""
    hint: str = ""


def prepare(workspace: Workspace, choices: Choices) -> Prepared:
    """Look at everything that a run with these choices depends on. On the reader's thread."""
    from core.dataset.export import find_dataset
    from core.errors import SimuleeError
    from core.store.datasets import list_datasets, split_sizes
    from core.store.decisions import last_decision_id
    from core.training.estimate import estimate
    from core.training.launch import sft_params
    from core.training.presets import PRESETS

    database = workspace.database
    decided = last_decision_id(database)
    datasets = []
    for row in reversed(list_datasets(database)):
        sizes = split_sizes(database, row.id)
        train = sizes["train"].examples if "train" in sizes else 0
        memories = "with memories" if row.settings.get("memories") else "without memories"
        stale = f" · {decided - row.decision} decisions are newer" if decided > row.decision else ""
        datasets.append((row.hash, f"ds{row.id} · {train} samples {memories}{stale}"))
    presets = [(BY_SIZE, "by the base's size")] + [
        (
            preset.name,
            f"{preset.name} · learning rate {preset.learning_rate:g} · epochs {preset.epochs:g}"
            f" · {preset.batch} a step",
        )
        for preset in PRESETS.values()
    ]
    params: dict[str, Any] = {}
    found, problem, hint = None, "", ""
    try:
        dataset = find_dataset(workspace, choices.dataset or None)
        params = sft_params(workspace, dataset.hash, choices.base or None, preset=choices.preset or None)
        found = estimate(workspace, params)
    except SimuleeError as error:
        problem, hint = error.message, error.hint
    return Prepared(params, found, tuple(datasets), tuple(presets), problem, hint)


def plan_parts(prepared: Prepared, target: str, keys: dict[str, str], remark: str = "") -> list[Part]:
    """The plan as words; ``keys`` has the key of each thing that can be chosen."""
    parts: list[Part] = [
        ("Prepare a run", "bold"), f"   a LoRA on {target}'s own words (supervised fine-tuning)\n\n",
    ]  # fmt: skip
    if prepared.estimate is None:
        parts += [("! ", "$warning"), prepared.problem, "\n  ", (prepared.hint, "$quiet")]
        return parts
    rows = dict(estimate_rows(prepared.estimate))
    stale = next((words for value, words in prepared.datasets if value == prepared.params["dataset"]), "")
    if "decisions are newer" in stale:
        rows["dataset"] += " ·" + stale.rpartition("·")[2]
    for what, how_much in rows.items():
        if what == "tokens":
            parts.append("\n")
        parts += [(f"  {keys.get(what, ' ')}  ", "bold $accent"), (f"{what:<9}", "bold"), how_much, "\n"]
    for warning in prepared.estimate.warnings:
        parts += [("\n  ! ", "$warning"), warning]
    parts += [
        ("\n  " if not prepared.estimate.warnings else "\n\n  "),
        (f"{keys['start']}  ", "bold $accent"), "starts it. It goes on without this terminal, and can stop and resume.",
    ]  # fmt: skip
    if remark:
        parts += ["\n\n", (remark, "$quiet")]
    return parts
