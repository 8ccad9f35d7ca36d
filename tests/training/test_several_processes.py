"""A run that is handed to ``accelerate launch`` is the same run: its events, its stop, its adapter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.errors import Interrupted
from core.runs.control import cancel, follow, result_of, resume, run_to_end, start
from core.runs.journal import load_run, read_events
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import tiny_dataset

TWO_ON_A_CPU = """\
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
machine_rank: 0
main_process_ip: 127.0.0.1
main_process_port: 0
mixed_precision: 'no'
num_machines: 1
num_processes: 2
use_cpu: true
"""


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.mark.slow
def test_two_processes_train_one_adapter_and_stop_and_go_on_together(
    untrained: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(untrained[0], tmp_path / "ws")
    workspace = Workspace.open(tmp_path / "ws")
    config = tmp_path / "two.yaml"
    config.write_text(TWO_ON_A_CPU, "utf-8")
    params = sft_params(workspace, untrained[1], max_steps=4, epochs=8, batch=2, launch=str(config))
    run = start(workspace, SFT_KIND, SFT_ENTRY, params)
    for event in follow(workspace, run.id):
        if event.kind == "metrics" and event.payload["step"] == 2:
            cancel(workspace, run.id)
    assert load_run(workspace.runs, run.id).state == "cancelled"
    with pytest.raises(Interrupted, match=r"stopped at step \d of 4; a checkpoint is saved"):
        result_of(workspace, run.id)
    resume(workspace, run.id)
    for _ in follow(workspace, run.id):
        pass
    done = result_of(workspace, run.id)
    assert (done["adapter"], done["steps"]) == ("sft-1", 4)
    assert (workspace.adapters / "sft-1" / "adapter_model.safetensors").is_file()
    events = read_events(run.folder)[0]
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    # One of the two tells: each step once.
    steps = [event.payload["step"] for event in events if event.kind == "metrics" and "loss" in event.payload]
    assert steps == sorted(set(steps))
    # The same batch in one process gives the same first loss: both halves are counted.
    alone = sft_params(workspace, untrained[1], max_steps=1, epochs=8, batch=2)
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, alone)
    first = [
        next(event.payload["loss"] for event in read_events(workspace.runs / name)[0] if event.kind == "metrics")
        for name in ("sft-1", "sft-2")
    ]
    assert first[0] == pytest.approx(first[1], abs=2e-3)
