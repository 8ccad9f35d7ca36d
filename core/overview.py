"""Where a workspace stands: what there is, what is stale, and the suggested next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.review.queue import stats
from core.runs.journal import list_runs
from core.store.adapters import AdapterRow, active_adapter
from core.store.counts import count_all, writing_years
from core.store.datasets import DatasetRow, list_datasets, newer_decisions
from core.store.scorecards import list_scorecards
from core.twin.launch import SERVE_KIND
from core.workspace import Workspace

TWIN = "b4"
LADDER = ("b0", "b2", "b3")
"""The systems that the twin is told beside; the controls are for the evaluation's own screen."""


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of the pipeline. ``state`` is ``done``, ``waiting``, ``stale`` or ``none``."""

    stage: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The pipeline, and what to do next."""

    target: str
    rows: tuple[StageRow, ...]
    next_words: str
    next_command: str
    next_screen: str
    """The screen where the next step is done."""


def overview(workspace: Workspace) -> Overview:
    """Look at every stage once."""
    database = workspace.database
    counts = count_all(database)
    review = stats(database)
    datasets = list_datasets(database)
    adapter = active_adapter(database)
    scorecards = list_scorecards(database)
    first, last = writing_years(database)
    dates = f" {first[:4]}–{last[:4]}" if first else ""
    stale = newer_decisions(database, datasets[-1]) if datasets else 0
    running = [run.id for run in list_runs(workspace.runs) if run.state == "running" and run.kind != SERVE_KIND]
    rows = [
        StageRow(
            "corpus",
            f"{_many(counts['document'], 'document')}{dates} · {_many(counts['conversation'], 'conversation')} ·"
            f" {_many(counts['exchange'], 'exchange')} · {_many(counts['chunk'], 'passage')}",
            "none" if not counts["document"] + counts["conversation"] else "done" if counts["chunk"] else "waiting",
        ),
        StageRow(
            "recall",
            f"{_memories(counts['memory'])} · {review.pending:,} waiting for you · {review.accepted:,} accepted",
            "none" if not counts["memory"] else "waiting" if review.pending else "done",
        ),
        StageRow(
            "dataset",
            f"ds{datasets[-1].id} · {datasets[-1].hash[:8]}"
            + (f" · {_many(stale, 'decision')} newer than it" if stale else "")
            if datasets
            else "none yet",
            "none" if not datasets else "stale" if stale else "done",
        ),
        StageRow(
            "training",
            f"{adapter.name}{_trained_on(adapter, datasets)}" if adapter else "no adapter: the twin is the bare base",
            "none" if not adapter else "stale" if _trained_on(adapter, datasets) else "done",
        ),
        StageRow(
            "fidelity",
            _fidelity(scorecards[-1][2]) if scorecards else "not measured",
            "done" if scorecards else "none",
        ),
        StageRow(
            "twin", _many(counts["session"], "session") if counts["session"] else "not talked with yet",
            "done" if counts["session"] else "none",
        ),
    ]  # fmt: skip
    if running:
        rows.append(StageRow("running", ", ".join(running), "waiting"))
    words, command, screen = _next(counts, review.pending, bool(datasets), stale > 0, bool(adapter), bool(scorecards))
    if running:
        words = f"{running[-1]} is at work; then {words}"
    return Overview(workspace.target, tuple(rows), words, command, screen)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _memories(count: int) -> str:
    return f"{count:,} memor" + ("y" if count == 1 else "ies")


def _trained_on(adapter: AdapterRow, datasets: Sequence[DatasetRow]) -> str:
    """A remark when the adapter learned from an older dataset than the newest."""
    if adapter.dataset_id is None or not datasets or adapter.dataset_id == datasets[-1].id:
        return ""
    return f" · trained on ds{adapter.dataset_id}, ds{datasets[-1].id} is newer"


def _fidelity(scorecard: dict[str, object]) -> str:
    """What the twin needs for the real answers, beside the base and the other rungs of the ladder."""
    systems = scorecard["systems"]
    assert isinstance(systems, dict)
    bits = {name: f"{each['metrics']['bits_per_token']['value']:.2f}" for name, each in systems.items()}
    main = TWIN if TWIN in bits else list(bits)[-1]
    beside = ", ".join(f"{name} {bits[name]}" for name in LADDER if name in bits and name != main)
    return f"{main} {bits[main]} bits/token" + (f" ({beside})" if beside else "")


def _next(
    counts: dict[str, int], pending: int, dataset: bool, stale: bool, adapter: bool, measured: bool
) -> tuple[str, str, str]:
    """The next step in words, as a command, and the screen where it is done."""
    if not counts["document"] and not counts["conversation"]:
        return "import a folder or a file", "simulee import SOURCE…", "import"
    if not counts["chunk"]:
        return "cut the new text into passages and embed them", "simulee embed", "import"
    if not counts["exchange"]:
        return "talk with it, or import an interview to train on", "simulee chat", "chat"
    if not counts["memory"]:
        return "recall memories for every question", "simulee recall", "review"
    if pending:
        waiting = "memory that waits" if pending == 1 else "memories that wait"
        return f"review the {pending:,} {waiting} for you", "simulee review", "review"
    if not dataset:
        return "freeze a dataset", "simulee dataset build", "dataset"
    if not adapter:
        return "train on the dataset", "simulee train sft", "train"
    if not measured:
        return "measure the twin on what it never saw", "simulee evaluate", "evaluate"
    if stale:
        return "freeze a dataset with your newer decisions", "simulee dataset build", "dataset"
    return "talk with the twin", "simulee chat", "chat"


def stage_counts(workspace: Workspace) -> dict[str, str]:
    """How much each stage holds, for its tab: documents and conversations, what waits for review, and so on."""
    counts = count_all(workspace.database)
    numbers = {
        "import": counts["document"] + counts["conversation"],
        "review": stats(workspace.database).pending,
        "dataset": counts["dataset"],
        "train": counts["adapter"],
        "evaluate": counts["scorecard"],
        "chat": counts["session"],
    }
    return {stage: f"{number:,}" for stage, number in numbers.items() if number}
