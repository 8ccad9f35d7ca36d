"""What the processes that train together agree on. One that trains alone agrees with itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import TrainingError
from core.training.checkpoints import newest_whole


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def machines() -> int:
    """How many machines train together, each with a disk of its own."""
    return processes() // int(os.environ.get("LOCAL_WORLD_SIZE", processes()))


def is_first_here() -> bool:
    """Whether this process is the one of its machine that tells, and seals what is saved there."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def wait_for_all() -> None:
    """Go on when every process has come this far."""
    _gathered(None)


def newest_common(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole on every machine, and the names of this one's damaged ones.

    A machine that was stopped while it saved may have one less than another. Raises TrainingError, in every process,
    where some have checkpoints and none is on all.
    """
    newest, damaged = newest_whole(folder)
    found = steps = _gathered(_step(newest))
    while len(set(steps)) > 1:
        newest, damaged = newest_whole(folder, min(steps))
        steps = _gathered(_step(newest))
    if newest is None and max(found) >= 0:
        raise TrainingError(
            f"no checkpoint is whole on every machine; the newest of any is of step {max(found)}",
            "copy the run's folder `checkpoints` from there to the other machines, or start a new run on each",
        )
    return newest, damaged


def check_same(what: Mapping[str, Any]) -> None:
    """Raises TrainingError, in every process, where one of them would train something else than the first."""
    told = _gathered((os.environ.get("GROUP_RANK", "0"), dict(what)))
    first = told[0][1]
    for machine, other in told:
        for name in first:
            if other[name] != first[name]:
                raise TrainingError(
                    f"the machines would not train the same: {name} is {first[name]} on machine 0, and {other[name]} on"
                    f" machine {machine}",
                    "unpack the same pack on each, and give the same command on each",
                )


def _step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else -1


def _gathered(value: Any) -> list[Any]:
    """The value of every process, in their order."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values
