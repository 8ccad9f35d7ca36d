"""What processes that train together agree on, each on a machine with a disk of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import pytest

from core.errors import TrainingError
from core.training.checkpoints import write_manifest
from core.training.together import check_same, newest_common

Asked = Callable[[int], Any]


def _machine(rank: int, meeting: Path, asked: Asked, answers: SimpleQueue[Any]) -> None:
    import torch

    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    try:
        answer = asked(rank)
    except TrainingError as error:
        answer = error
    answers.put((rank, answer))
    torch.distributed.destroy_process_group()


def _on_two_machines(tmp_path: Path, asked: Asked) -> list[Any]:
    """What is answered on each, by two processes that know each other."""
    forking = multiprocessing.get_context("fork")
    answers: SimpleQueue[Any] = forking.SimpleQueue()
    processes = [
        forking.Process(target=_machine, args=(rank, tmp_path / "meeting", asked, answers)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    told = sorted((answers.get() for _ in processes), key=lambda each: int(each[0]))
    for process in processes:
        process.join()
    return [answer for _, answer in told]


def _machines(tmp_path: Path, *steps: tuple[int, ...]) -> list[Path]:
    """A folder for each machine, with sealed checkpoints of these steps."""
    folders = []
    for rank, own in enumerate(steps):
        folders.append(tmp_path / f"machine-{rank}")
        for step in own:
            checkpoint = folders[-1] / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True)
            (checkpoint / "weights").write_text(f"of {step}")
            write_manifest(checkpoint)
    return folders


@pytest.mark.parametrize(
    ("first", "second", "common"), [((2, 4), (2, 4), 4), ((4, 6), (2, 4), 4), ((2, 4), (4, 6), 4), ((), (), None)]
)
def test_all_go_on_from_the_newest_checkpoint_that_is_whole_on_each(
    tmp_path: Path, first: tuple[int, ...], second: tuple[int, ...], common: int | None
) -> None:
    folders = _machines(tmp_path, first, second)
    told = _on_two_machines(tmp_path, lambda rank: newest_common(folders[rank]))
    assert told == [(folder / f"checkpoint-{common}" if common else None, []) for folder in folders]


def test_one_that_is_damaged_on_one_machine_is_used_on_none(tmp_path: Path) -> None:
    folders = _machines(tmp_path, (2, 4), (2, 4))
    (folders[1] / "checkpoint-4" / "weights").write_text("something else")
    told = _on_two_machines(tmp_path, lambda rank: newest_common(folders[rank]))
    assert told == [(folders[0] / "checkpoint-2", []), (folders[1] / "checkpoint-2", ["checkpoint-4"])]
    assert (folders[0] / "checkpoint-4").is_dir()


def test_what_was_trained_is_not_begun_anew_since_one_machine_lost_it(tmp_path: Path) -> None:
    folders = _machines(tmp_path, (2, 4), ())
    for error in _on_two_machines(tmp_path, lambda rank: newest_common(folders[rank])):
        assert str(error) == "no checkpoint is whole on every machine; the newest of any is of step 4"


def test_what_differs_is_named_on_each(tmp_path: Path) -> None:
    assert _on_two_machines(tmp_path, lambda _: check_same({"base": "b", "rank": 8})) == [None, None]
    (tmp_path / "meeting").unlink(missing_ok=True)
    for error in _on_two_machines(tmp_path, lambda rank: check_same({"base": "b", "rank": 8 + rank})):
        assert "rank is 8 on machine 0, and 9 on machine" in str(error)
        assert "pack" in error.hint
