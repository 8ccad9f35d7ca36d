"""A training run that is killed, canceled or damaged ends with the very adapter of an undisturbed one."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from io import BufferedReader
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from core.errors import Interrupted, TrainingError
from core.runs.control import cancel, follow, result_of, resume, run_to_end, start
from core.runs.journal import holder, load_run, read_events
from core.training.checkpoints import is_whole, newest_whole, prune, write_manifest
from core.training.failures import told_clearly
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import tiny_dataset

STEPS = 6
FILES = ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "trainer_state.json")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def undisturbed(untrained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    workspace, params = _copy(untrained, tmp_path_factory.mktemp("undisturbed") / "ws")
    return str(run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)["hash"])


def _copy(untrained: tuple[Path, str], target: Path) -> tuple[Workspace, dict[str, Any]]:
    shutil.copytree(untrained[0], target)
    workspace = Workspace.open(target)
    return workspace, sft_params(workspace, untrained[1], max_steps=STEPS, epochs=4)


def _stopped_after(workspace: Workspace, params: dict[str, Any], step: int, stop: Callable[[int], object]) -> str:
    """Start training and stop it once it has done a step. Returns the run's id."""
    run = start(workspace, SFT_KIND, SFT_ENTRY, params)
    pid = holder(run.folder / "lock")
    assert pid is not None
    for event in follow(workspace, run.id):
        if event.kind == "metrics" and event.payload["step"] == step and "loss" in event.payload:
            stop(pid)
    return run.id


def _checkpoints(workspace: Workspace, run_id: str) -> Path:
    return workspace.runs / run_id / "checkpoints"


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_killed_run_resumed_gives_the_same_bytes(
    untrained: tuple[Path, str], undisturbed: str, tmp_path: Path, step: int
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    run_id = _stopped_after(workspace, params, step, lambda pid: os.kill(pid, signal.SIGKILL))
    assert load_run(workspace.runs, run_id).state == "lost"
    assert run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id=run_id)["hash"] == undisturbed


@pytest.mark.slow
def test_a_canceled_run_saves_says_so_and_goes_on_to_the_same_bytes(
    untrained: tuple[Path, str], undisturbed: str, tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    run_id = _stopped_after(workspace, params, 3, lambda _: cancel(workspace, "sft-1"))
    assert load_run(workspace.runs, run_id).state == "cancelled"
    with pytest.raises(Interrupted, match=r"stopped at step \d of 6; a checkpoint is saved"):
        result_of(workspace, run_id)
    whole, damaged = newest_whole(_checkpoints(workspace, run_id))
    assert whole is not None
    assert not damaged
    resume(workspace, run_id)
    for _ in follow(workspace, run_id):
        pass
    assert result_of(workspace, run_id)["hash"] == undisturbed
    kinds = [event.kind for event in read_events(workspace.runs / run_id)[0]]
    assert kinds.count("started") == 2
    assert kinds.count("ended") == 2


@pytest.mark.slow
def test_at_each_evaluation_the_same_validation_question_is_answered(
    untrained: tuple[Path, str], tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    told = [event.payload for event in read_events(workspace.runs / "sft-1")[0] if event.kind == "samples"]
    assert [each["step"] for each in told] == [3, 6]
    # 2014 and 2015 are held out: they are never asked.
    assert {sample["question"] for each in told for sample in each["samples"]} == {"What came in 2013?"}
    assert {sample["real"] for each in told for sample in each["samples"]} == {"Rain, and Pell with the bill."}
    assert all(sample["twin"].strip() for each in told for sample in each["samples"])


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_used(
    untrained: tuple[Path, str], undisturbed: str, tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    run_id = _stopped_after(workspace, params, 5, lambda pid: os.kill(pid, signal.SIGKILL))
    newest = _checkpoints(workspace, run_id) / "checkpoint-4"
    assert is_whole(newest)
    (newest / "optimizer.pt").unlink()
    assert run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id=run_id)["hash"] == undisturbed
    plan = [event.payload for event in read_events(workspace.runs / run_id)[0] if event.kind == "plan"][-1]
    assert (plan["resumed_from"], plan["damaged"]) == ("checkpoint-2", ["checkpoint-4"])


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """Two sealed checkpoints."""
    for step in (9, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in FILES:
            (folder / name).write_text("".join(f"{name} of {step:02d}, {part:02d}; " for part in range(50)))
        write_manifest(folder)
    return tmp_path


def test_checkpoints_are_ordered_by_step_not_by_name_or_clock(sealed: Path) -> None:
    os.utime(sealed / "checkpoint-10", (0, 0))
    assert newest_whole(sealed) == (sealed / "checkpoint-10", [])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _swap_halves(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 2 :] + data[: len(data) // 2])


def _of_another_step(path: Path) -> None:
    shutil.copy2(path.parent.with_name("checkpoint-9") / path.name, path)


def _become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _point_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone")


def _point_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "renamed": lambda path: path.rename(path.with_suffix(".part")),
    "empty": lambda path: path.write_bytes(b""),
    "one bit": _flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "halves swapped": _swap_halves,
    "of another step": _of_another_step,
    "a folder": _become_a_folder,
    "a link to nothing": _point_nowhere,
    "a link to itself": _point_to_itself,
    "nested without end": lambda path: path.write_bytes(b"[" * 200_000),
}
"""Ways in which a file of a sealed checkpoint can be spoilt."""


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_no_damage_to_any_file_is_resumed_from(sealed: Path, name: str, damage: str) -> None:
    DAMAGES[damage](sealed / "checkpoint-10" / name)
    assert newest_whole(sealed) == (sealed / "checkpoint-9", ["checkpoint-10"])
    assert (sealed / "damaged-checkpoint-10").is_dir()


def test_one_that_cannot_be_read_now_is_passed_over_and_where_none_is_left_nothing_is_moved(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable = {"checkpoint-9", "checkpoint-10"}

    def digest(file: BufferedReader, name: str) -> object:
        if Path(file.name).parent.name in unreadable:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(file, name)

    original = hashlib.file_digest
    monkeypatch.setattr("hashlib.file_digest", digest)
    with pytest.raises(OSError, match="Input/output"):
        newest_whole(sealed)
    assert sorted(path.name for path in sealed.iterdir()) == ["checkpoint-10", "checkpoint-9"]
    unreadable.remove("checkpoint-9")
    assert newest_whole(sealed) == (sealed / "checkpoint-9", ["checkpoint-10"])


def _asked_at_once(sealed: Path, together: Barrier, answers: SimpleQueue[object]) -> None:
    together.wait()
    try:
        answers.put(newest_whole(sealed))
    except OSError as error:
        answers.put(repr(error))


@pytest.mark.parametrize("earlier", [False, True])
def test_processes_that_train_together_set_a_damaged_one_aside_and_are_told_the_same(
    sealed: Path, earlier: bool
) -> None:
    if earlier:
        shutil.copytree(sealed / "checkpoint-10", sealed / "damaged-checkpoint-10")
    _flip(sealed / "checkpoint-10" / FILES[0])
    spawning = multiprocessing.get_context("fork")
    together, answers = spawning.Barrier(6), spawning.SimpleQueue()
    processes = [spawning.Process(target=_asked_at_once, args=(sealed, together, answers)) for _ in range(6)]
    for process in processes:
        process.start()
    told = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    assert told == [(sealed / "checkpoint-9", ["checkpoint-10"])] * 6
    assert newest_whole(sealed) == told[0]
    assert sorted(path.name for path in sealed.glob("*checkpoint-*")) == ["checkpoint-9", "damaged-checkpoint-10"]
    assert len([*(sealed / "damaged-checkpoint-10").iterdir()]) == len(FILES) + 1


def test_one_that_another_process_sets_aside_meanwhile_is_no_error(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_at(checkpoint: Path) -> bool:
        if checkpoint.name == "checkpoint-10":
            checkpoint.rename(sealed / "damaged-checkpoint-10")
            return False
        return is_whole(checkpoint)

    _flip(sealed / "checkpoint-10" / FILES[0])
    monkeypatch.setattr("core.training.checkpoints.is_whole", looked_at)
    assert newest_whole(sealed) == (sealed / "checkpoint-9", ["checkpoint-10"])
    assert len([*(sealed / "damaged-checkpoint-10").iterdir()]) == len(FILES) + 1


def test_a_checkpoint_that_was_never_sealed_is_not_used(sealed: Path) -> None:
    (sealed / "checkpoint-11").mkdir()
    (sealed / "checkpoint-11" / "adapter_model.safetensors").write_bytes(b"half")
    assert newest_whole(sealed)[0] == sealed / "checkpoint-10"


def test_damaged_ones_go_once_a_whole_one_has_passed_them(sealed: Path) -> None:
    for step in (8, 10, 12):
        shutil.copytree(sealed / "checkpoint-9", sealed / f"damaged-checkpoint-{step}")
    prune(sealed)
    assert sorted(path.name for path in sealed.glob("*checkpoint-*")) == [
        "checkpoint-10", "checkpoint-9", "damaged-checkpoint-12",
    ]  # fmt: skip


def test_where_the_disk_is_full_the_damaged_ones_are_named(sealed: Path) -> None:
    damaged = sealed / "damaged-checkpoint-12"
    shutil.copytree(sealed / "checkpoint-9", damaged)
    with pytest.raises(TrainingError, match="the checkpoint of step 10 is kept") as told, told_clearly(sealed, 64):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert f"for which {damaged} may go" in told.value.hint
