"""What stops a training from outside is told in one line, whoever found it out and in whatever words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from core.errors import TrainingError
from core.training.failures import told_clearly
from core.training.means import Means
from core.training.sparing import remedies

NO_MEMORY = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("unable to mmap 19593064 bytes from file <checkpoint-2>: Cannot allocate memory (12)"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
)
NO_ROOM = (
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
    RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/0"),
    RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
)


def _told(raised: BaseException, folder: Path) -> TrainingError:
    with pytest.raises(TrainingError) as caught, told_clearly(folder, 640):
        raise raised
    return caught.value


@pytest.mark.parametrize("raised", NO_MEMORY, ids=lambda raised: type(raised).__name__)
def test_no_memory_names_what_is_kept_and_what_to_set(raised: BaseException, tmp_path: Path) -> None:
    told = _told(raised, tmp_path)
    assert str(told) == "out of memory; no checkpoint was saved yet"
    assert told.hint == (
        "start anew with gradient_checkpointing = true under [training], or build with less than 640 max_tokens under"
        " [dataset]"
    )


@pytest.mark.parametrize(
    ("micro_batch", "checkpointing", "options"),
    [
        (1, True, []),
        (1, False, ["--gradient-checkpointing"]),
        (8, True, ["--micro-batch 4"]),
        (3, True, ["--micro-batch 1"]),
        (2, False, ["--micro-batch 1", "--gradient-checkpointing"]),
    ],
)
def test_no_memory_names_only_what_would_take_less(
    micro_batch: int, checkpointing: bool, options: list[str], tmp_path: Path
) -> None:
    means = Means("lora", "float32", "sdpa", "adamw_torch", micro_batch, False, checkpointing, False, False, 0)
    lighter = remedies("sft-7", means)
    assert lighter == [f"`simulee runs resume sft-7 {option}`" for option in options]
    with pytest.raises(TrainingError) as caught, told_clearly(tmp_path, 640, remedies=lighter):
        raise MemoryError
    assert caught.value.hint.count("runs resume sft-7") == len(options)
    assert caught.value.hint.endswith("build with less than 640 max_tokens under [dataset]")


@pytest.mark.parametrize("raised", NO_ROOM, ids=lambda raised: type(raised).__name__)
def test_no_room_names_what_is_kept_and_how_to_go_on(raised: BaseException, tmp_path: Path) -> None:
    told = _told(raised, tmp_path)
    assert str(told) == "the disk is full, or a file may not grow; no checkpoint was saved yet"
    assert "runs resume" in told.hint


@pytest.mark.parametrize(
    "raised", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError(errno.EACCES, "Permission denied")]
)
def test_any_other_failure_is_left_as_it_is(raised: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(raised)) as caught, told_clearly(tmp_path, 640):
        raise raised
    assert caught.value is raised
