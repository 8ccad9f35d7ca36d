"""Building and verifying as runs, for a face that must not import what they need."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.dataset.build import build
from core.dataset.export import find_dataset
from core.dataset.verify import verify
from core.runs.job import Job
from core.store.datasets import list_datasets


def build_run(job: Job) -> dict[str, Any]:
    """The work of a ``dataset`` run: params ``heldout``, ``released`` and ``memories`` as ``build`` takes them."""
    known = {dataset.hash for dataset in list_datasets(job.workspace.database)}

    def watch(done: int, total: int) -> None:
        job.stop_point()
        job.progress(done, total, "conversations")

    built = build(
        job.workspace,
        job.params.get("heldout") or (),
        bool(job.params.get("memories", True)),
        watch,
        released=job.params.get("released") or (),
    )
    return {"dataset": f"ds{built.id}", **asdict(built), "leaks": 0, "known": built.hash in known}


def verify_run(job: Job) -> dict[str, Any]:
    """The work of a ``verify`` run: param ``dataset``, a hash or ``ds<number>``."""
    dataset = find_dataset(job.workspace, job.params["dataset"])
    verdict = verify(job.workspace, dataset)
    return asdict(verdict) | {"hash": dataset.hash, "lines": verdict.lines()}
