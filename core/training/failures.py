"""What stops a training from outside, as one clear line: memory, disk, a file that may not grow."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from core.errors import TrainingError
from core.training.checkpoints import ASIDE, by_step, is_whole

DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", os.strerror(errno.ENOMEM))
_NOT_WRITTEN = (
    "PytorchStreamWriter failed",
    "unexpected pos",
    "file write failed",
    "No space left",
    "File too large",
    "I/O error",
)

_SHORTER = "build with less than {} max_tokens under [dataset]"
_ANEW = ("start anew with gradient_checkpointing = true under [training]",)


@contextmanager
def told_clearly(
    checkpoints: Path, max_tokens: int, shorter: str = _SHORTER, remedies: Sequence[str] = _ANEW
) -> Iterator[None]:
    """Raise what training raises as a TrainingError that names what is kept and what to change.

    ``shorter`` says, for so many ``max_tokens``, how a sample gets shorter; ``remedies`` what else takes less memory.
    """
    with told_with(checkpoints, ", or ".join([*remedies, shorter.format(max_tokens)])):
        yield


@contextmanager
def told_with(checkpoints: Path, lighter: str) -> Iterator[None]:
    """The same, with ``lighter`` to say what takes less memory."""
    try:
        yield
    except MemoryError:
        raise _no_memory(checkpoints, lighter) from None
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise _no_memory(checkpoints, lighter) from None
        if error.errno not in DISK:
            raise
        raise no_room(checkpoints) from None
    except (RuntimeError, SafetensorError) as error:
        words = str(error)
        if isinstance(error, torch.OutOfMemoryError) or any(each in words for each in _NO_MEMORY):
            raise _no_memory(checkpoints, lighter) from None
        if any(each in words for each in _NOT_WRITTEN):
            raise no_room(checkpoints) from None
        raise


def _no_memory(checkpoints: Path, lighter: str) -> TrainingError:
    return TrainingError(f"out of memory; {_kept(checkpoints)}", lighter)


def no_room(checkpoints: Path) -> TrainingError:
    """What is said when nothing more can be written."""
    damaged = ", ".join(str(path) for _, path in by_step(checkpoints, ASIDE))
    return TrainingError(
        f"the disk is full, or a file may not grow; {_kept(checkpoints)}",
        f"make room{f', for which {damaged} may go' if damaged else ''}; then `simulee runs resume ID` goes on where it"
        " stopped",
    )


def _kept(checkpoints: Path) -> str:
    try:
        whole = [step for step, path in by_step(checkpoints) if is_whole(path)]
    except (MemoryError, OSError):
        return "the last checkpoint is kept"
    return f"the checkpoint of step {whole[-1]} is kept" if whole else "no checkpoint was saved yet"
