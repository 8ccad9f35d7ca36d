"""A run that is handed to ``accelerate launch`` is the same run: its events, its stop, its errors, its adapter."""

from __future__ import annotations

import resource
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

from core.errors import Interrupted, RunError, TrainingError
from core.runs.control import cancel, follow, result_of, resume, run_to_end, start
from core.runs.job import Job
from core.runs.journal import create_run, load_run, read_events
from core.training.checkpoints import by_step, is_whole
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.launching import launched
from core.transfer.pack import pack
from core.transfer.unpack import unpack
from core.workspace import Workspace
from tests.training.tiny import tiny_base, tiny_dataset

TWO_ON_CPUS = """\
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
machine_rank: {rank}
main_process_ip: 127.0.0.1
main_process_port: {port}
mixed_precision: 'no'
num_machines: {machines}
num_processes: 2
rdzv_backend: static
use_cpu: true
"""
TEMPLATES = sorted((Path(__file__).parents[2] / "docs" / "launch").glob("*.yaml"))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def what(untrained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The dataset's hash, and a base whose steps take no time."""
    return untrained[1], tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def workspace(untrained: tuple[Path, str], tmp_path: Path) -> Workspace:
    shutil.copytree(untrained[0], tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")


def _config(folder: Path, rank: int = 0, machines: int = 1, port: int = 0) -> str:
    path = folder / f"{machines}-{rank}.yaml"
    path.write_text(TWO_ON_CPUS.format(rank=rank, machines=machines, port=port), "utf-8")
    return str(path)


def _params(workspace: Workspace, what: tuple[str, str], config: str | None, **more: Any) -> dict[str, Any]:
    """Of a run that is long enough to be stopped."""
    lasting = {"max_steps": 40, "epochs": 1_000, "batch": 2, "checkpoint_steps": 10, "evaluations": 1, "packing": False}
    return sft_params(workspace, *what, launch=config, **(lasting | more))


def _follow(workspace: Workspace) -> None:
    for _ in follow(workspace, "sft-1"):
        pass


def _steps(workspace: Workspace) -> list[int]:
    """The steps whose loss was told, in their order."""
    events = [event for event in read_events(workspace.runs / "sft-1")[0] if event.kind == "metrics"]
    return [event.payload["step"] for event in events if "loss" in event.payload]


def _process(workspace: Workspace, rank: int) -> int:
    """The process of this rank in the run that is at work here."""
    pipe = str(workspace.runs / "sft-1" / ".tells")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            held = (folder / "environ").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if f"SIMULEE_TELLS={pipe}" in held and f"RANK={rank}" in held:
            return int(folder.name)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.slow
def test_two_processes_train_one_adapter_and_stop_and_go_on_together(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    run = start(workspace, SFT_KIND, SFT_ENTRY, _params(workspace, what, _config(tmp_path)))
    for event in follow(workspace, run.id):
        if event.kind == "checkpoint" and event.payload["step"] == 10:
            cancel(workspace, run.id)
    assert load_run(workspace.runs, run.id).state == "cancelled"
    with pytest.raises(Interrupted, match=r"stopped at step \d+ of 40; a checkpoint is saved"):
        result_of(workspace, run.id)
    resume(workspace, run.id)
    _follow(workspace)
    done = result_of(workspace, run.id)
    assert (done["adapter"], done["steps"]) == ("sft-1", 40)
    assert (workspace.adapters / "sft-1" / "adapter_model.safetensors").is_file()
    newest = by_step(run.folder / "checkpoints")[-1][1]
    assert is_whole(newest)
    assert sorted(path.name for path in newest.glob("rng_state*")) == ["rng_state_0.pth", "rng_state_1.pth"]
    events = read_events(run.folder)[0]
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    # One of the two tells: each step once.
    assert _steps(workspace) == sorted(set(_steps(workspace)))
    # The same batch in one process gives the same first loss: both halves are counted.
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, _params(workspace, what, None, max_steps=1))
    first = [
        next(event.payload["loss"] for event in read_events(workspace.runs / name)[0] if event.kind == "metrics")
        for name in ("sft-1", "sft-2")
    ]
    assert first[0] == pytest.approx(first[1], abs=2e-3)


@pytest.mark.slow
def test_two_machines_train_together_stop_together_and_go_on_to_the_adapter_of_one(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    pack(workspace, tmp_path / "ada.simulee", for_training=True)
    unpack(tmp_path / "ada.simulee", tmp_path / "second")
    both = [workspace, Workspace.open(tmp_path / "second")]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for rank, machine in reversed([*enumerate(both)]):  # In any order.
        config = _config(tmp_path, rank, machines=2, port=port)
        start(machine, SFT_KIND, SFT_ENTRY, _params(machine, what, config))
    for event in follow(both[0], "sft-1"):
        if event.kind == "checkpoint" and event.payload["step"] == 10:
            cancel(both[1], "sft-1")
    _follow(both[1])
    assert [load_run(machine.runs, "sft-1").state for machine in both] == ["cancelled", "cancelled"]
    # One of them was killed before it had sealed what both saved: both go back to what is whole on both.
    newest = by_step(both[1].runs / "sft-1" / "checkpoints")[-1][1]
    (newest / "manifest.json").unlink()
    for machine in both:
        resume(machine, "sft-1")
    for machine in both:
        _follow(machine)
    first, second = (result_of(machine, "sft-1") for machine in both)
    assert (first["adapter"], first["steps"]) == ("sft-1", 40)
    assert "machine_rank" not in first
    assert (second["machine_rank"], second["steps"], second["loss"]) == (1, 40, first["loss"])
    assert "adapter" not in second
    assert _steps(both[0]) == _steps(both[1])
    for rank, machine in enumerate(both):
        newest = by_step(machine.runs / "sft-1" / "checkpoints")[-1][1]
        assert (newest.name, is_whole(newest)) == ("checkpoint-40", True)
        assert [path.name for path in newest.glob("rng_state*")] == [f"rng_state_{rank}.pth"]
    alone = run_to_end(workspace, SFT_KIND, SFT_ENTRY, _params(workspace, what, _config(tmp_path)))
    assert alone["hash"] == first["hash"]


@pytest.mark.slow
def test_machines_that_would_not_train_the_same_say_what_differs(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(workspace.root, tmp_path / "second")
    both = [workspace, Workspace.open(tmp_path / "second")]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for rank, machine in enumerate(both):
        params = _params(machine, what, _config(tmp_path, rank, machines=2, port=port), rank=4 + rank)
        start(machine, SFT_KIND, SFT_ENTRY, params)
    for machine in both:
        _follow(machine)
        with pytest.raises(RunError, match="would not train the same: rank is 4 on machine 0, and 5 on machine 1"):
            result_of(machine, "sft-1")


@pytest.mark.slow
def test_a_run_that_waits_for_another_machine_can_be_stopped(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    run = start(workspace, SFT_KIND, SFT_ENTRY, _params(workspace, what, _config(tmp_path, machines=2, port=port)))
    for event in follow(workspace, run.id):
        if event.kind == "progress":
            assert event.payload["what"] == "waiting for the other 1 of 2 machines"
            cancel(workspace, run.id)
    with pytest.raises(Interrupted, match="stopped before the training began"):
        result_of(workspace, run.id)


@pytest.mark.slow
def test_what_ends_one_process_is_told_and_nothing_half_saved_counts(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    run = start(workspace, SFT_KIND, SFT_ENTRY, _params(workspace, what, _config(tmp_path)))
    for event in follow(workspace, run.id):
        if event.kind == "checkpoint" and event.payload["step"] == 10:
            # Only the second process can write no more.
            resource.prlimit(_process(workspace, 1), resource.RLIMIT_FSIZE, (1, 1))
    with pytest.raises(RunError, match=r"the disk is full, or a file may not grow; the checkpoint of step \d+ is kept"):
        result_of(workspace, run.id)
    *_, (_, kept), (_, unfinished) = by_step(run.folder / "checkpoints")
    assert [is_whole(kept), is_whole(unfinished)] == [True, False]
    resume(workspace, run.id)
    _follow(workspace)
    assert result_of(workspace, run.id)["steps"] == 40


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_all_processes(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    params = _params(workspace, what, _config(tmp_path), learning_rate=1e30)
    with pytest.raises(RunError, match=r"the loss is not a number any more at step \d+; the last checkpoint is kept"):
        run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)


class _OnAFullDisk:
    """Events that cannot be written down, and more of them than a pipe holds."""

    def __init__(self, pipe: Path) -> None:
        self._pipe = pipe
        self.flood: threading.Thread | None = None

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        if self.flood is None:
            self.flood = threading.Thread(target=self._tell_much)
            self.flood.start()
        with Path("/dev/full").open("w", encoding="utf-8") as log:
            log.write(kind)

    def _tell_much(self) -> None:
        with self._pipe.open("w", encoding="utf-8") as pipe:
            for _ in range(5_000):
                pipe.write('{"kind": "samples", "payload": {"step": 1, "samples": []}}\n')


@pytest.mark.slow
def test_a_log_on_a_full_disk_ends_the_run_with_one_line(
    what: tuple[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    params = _params(workspace, what, _config(tmp_path))
    run = create_run(workspace.runs, SFT_KIND, SFT_ENTRY, params)
    log = _OnAFullDisk(run.folder / ".tells")
    with pytest.raises(
        TrainingError, match=r"the disk is full, or a file may not grow; the checkpoint of step \d+ is kept"
    ):
        launched(Job(workspace, run.folder, params, log), SFT_ENTRY)
    assert log.flood is not None
    log.flood.join()
    assert not (run.folder / ".tells").exists()


@pytest.mark.parametrize("text", ["", "- a\n- b", "distributed_type: NO\nmachine: 3", "num_processes: 2", "a: {"])
def test_a_file_that_is_no_configuration_is_refused_in_one_line(
    workspace: Workspace, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(text, "utf-8")
    run = create_run(workspace.runs, SFT_KIND, SFT_ENTRY, {"launch": str(path)})
    with pytest.raises(TrainingError, match=f"{path} is no configuration of accelerate: "):
        launched(Job(workspace, run.folder, run.params, _OnAFullDisk(path)), SFT_ENTRY)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_a_configuration_of_as_many_processes_as_it_says(template: Path) -> None:
    config = load_config_from_file(str(template))
    assert isinstance(config, ClusterConfig)
    assert config.num_processes == 8 * config.num_machines
    assert config.num_machines == (2 if template.stem.startswith("two-nodes") else 1)
