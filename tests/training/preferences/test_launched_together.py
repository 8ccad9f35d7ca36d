"""A run on preferences in several processes learns what one process learns, and one guard looks for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.runs.control import run_to_end
from core.runs.journal import read_events
from core.training.preferences.launch import DPO_ENTRY, DPO_KIND, dpo_params
from core.workspace import Workspace
from tests.training.test_several_processes import TWO_ON_CPUS

pytestmark = pytest.mark.slow


def _metrics(workspace: Workspace, run: str, name: str) -> list[float]:
    events = read_events(workspace.runs / run)[0]
    return [event.payload[name] for event in events if event.kind == "metrics" and name in event.payload]


def test_two_processes_take_the_steps_of_one(tuned: Workspace, tmp_path: Path) -> None:
    config = tmp_path / "two.yaml"
    config.write_text(TWO_ON_CPUS.format(rank=0, machines=1, port=0), "utf-8")
    settings: dict[str, Any] = {"batch": 2, "epochs": 3}
    results = [
        run_to_end(tuned, DPO_KIND, DPO_ENTRY, dpo_params(tuned, launch=launch, start_from="sft-1", settings=settings))
        for launch in (None, str(config))
    ]
    assert [each["adapter"] for each in results] == ["dpo-1", "dpo-2"]
    assert results[1]["steps"] == results[0]["steps"] == 3
    for name in ("loss", "margin", "kl"):
        alone, together = (_metrics(tuned, run, name) for run in ("dpo-1", "dpo-2"))
        assert together == pytest.approx(alone, rel=1e-2, abs=2e-3), name
    assert len(_metrics(tuned, "dpo-2", "answer_tokens")) == len(_metrics(tuned, "dpo-1", "answer_tokens"))
