"""Where a workspace stands: what there is, what is stale, and the suggested next step."""

from __future__ import annotations

from dataclasses import dataclass

from core.review.queue import stats
from core.runs.journal import list_runs
from core.store.adapters import active_adapter
from core.store.counts import count_all, writing_years
from core.store.datasets import list_datasets
from core.store.decisions import last_decision_id
from core.store.scorecards import list_scorecards
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Overview:
    """The pipeline as (stage, what there is) rows, and what to do next."""

    target: str
    rows: tuple[tuple[str, str], ...]
    next_step: str


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
    stale = last_decision_id(database) - datasets[-1].decision if datasets else 0
    running = [run.id for run in list_runs(workspace.runs) if run.state == "running"]
    rows = [
        ("corpus", f"{counts['document']} documents{dates} · {counts['conversation']} conversations ·"
                   f" {counts['exchange']} exchanges"),
        ("passages", f"{counts['chunk']} embedded"),
        ("recall", f"{counts['memory']} memories · {review.pending} waiting · {review.accepted} accepted"),
        ("dataset", f"ds{datasets[-1].id} {datasets[-1].hash}" + (f" · {stale} decisions are newer" if stale else "")
         if datasets else "none"),
        ("training", adapter.name if adapter else "no adapter: the twin is the bare base model"),
        ("fidelity", _fidelity(scorecards[-1][2]) if scorecards else "not measured"),
    ]  # fmt: skip
    if running:
        rows.append(("running", ", ".join(running)))
    return Overview(
        workspace.target, tuple(rows), _next(counts, review.pending, bool(datasets), bool(adapter), bool(scorecards))
    )


def _fidelity(scorecard: dict[str, object]) -> str:
    systems = scorecard["systems"]
    assert isinstance(systems, dict)
    return " · ".join(f"{name} {each['metrics']['bits_per_token']['value']:.2f}" for name, each in systems.items()) + (
        " bits/token"
    )


def _next(counts: dict[str, int], pending: int, dataset: bool, adapter: bool, measured: bool) -> str:
    if not counts["document"] and not counts["conversation"]:
        return "simulee import SOURCE… (or simulee demo, to see the whole journey first)"
    if not counts["chunk"]:
        return "simulee embed"
    if not counts["exchange"]:
        return "simulee chat, or import an interview to train on"
    if not counts["memory"]:
        return "simulee recall"
    if pending:
        return f"simulee review: {pending} memories wait for you"
    if not dataset:
        return "simulee dataset build"
    if not adapter:
        return "simulee train sft"
    return "simulee chat" if measured else "simulee evaluate"
