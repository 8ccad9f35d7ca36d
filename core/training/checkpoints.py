"""Checkpoints that are whole or not used: a SHA-256 manifest is written last and verified before a resume.

The trainer itself goes on silently with a missing optimizer file or a flipped byte, so the check is ours. Checkpoints
are ordered by step, never by clock.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
from pathlib import Path

from core.atomic import write_atomically

MANIFEST = "manifest.json"
ASIDE = "damaged-"
"""What the name of a damaged checkpoint begins with."""
LOCK = ".aside.lock"
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
KEEP = 2
"""Verified checkpoints that stay on disk."""
BEST = "best"
"""The folder of the weights with the best validation loss, beside the checkpoints and sealed as they are."""
WELL = "well"
"""The same of the weights at the last look that was well, in a run on preferences."""


def write_manifest(checkpoint: Path) -> None:
    """Seal a checkpoint: name, size and SHA-256 of every file in it."""
    write_atomically(checkpoint / MANIFEST, json.dumps(_digests(checkpoint), sort_keys=True))


def is_whole(checkpoint: Path) -> bool:
    """Whether every file is as it was when the checkpoint was sealed, and none is missing or new.

    Raises OSError for a file that is there and cannot be read: that need not last.
    """
    try:
        sealed = json.loads((checkpoint / MANIFEST).read_text("utf-8"))
        return bool(sealed == _digests(checkpoint))
    except (ValueError, RecursionError):
        return False
    except OSError as error:
        if error.errno in NOT_THERE:
            return False
        raise


def by_step(folder: Path, before: str = "") -> list[tuple[int, Path]]:
    """(step, path) of every checkpoint, ascending; ``before`` is what its name begins with."""
    found = []
    for path in folder.glob(f"{before}checkpoint-*"):
        number = re.fullmatch(rf"{before}checkpoint-(\d+)", path.name)
        if number and path.is_dir():
            found.append((int(number[1]), path))
    return sorted(found)


def newest_whole(folder: Path, until: float = math.inf) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that verifies, and the names of damaged ones, which are set aside as ``damaged-…``.

    Those of steps after ``until`` are not looked at.
    One that cannot be read is passed over like a damaged one. Raises OSError where for that reason none is left.
    Processes that train together may all ask at once: they are told the same.
    """
    whole, last, unread = None, -1, None
    passed: dict[int, Path] = {}
    for step, path in reversed([each for each in by_step(folder) if each[0] <= until]):
        try:
            if is_whole(path):
                whole, last = path, step
                break
        except OSError as error:
            unread = error
        passed[step] = path
    if whole is None and unread is not None:
        raise unread
    for path in passed.values():
        _set_aside(path)
    # Those too that another process set aside before this one looked.
    damaged = passed.keys() | {step for step, _ in by_step(folder, ASIDE) if step > last}
    return whole, [f"checkpoint-{step}" for step in sorted(damaged, reverse=True)]


def _set_aside(checkpoint: Path) -> None:
    aside = checkpoint.with_name(ASIDE + checkpoint.name)
    with os.fdopen(os.open(checkpoint.with_name(LOCK), os.O_CREAT | os.O_RDWR, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if checkpoint.exists():  # No other process did it.
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)


def prune(folder: Path) -> None:
    """Remove all but the newest sealed checkpoints, and the damaged ones that they have passed."""
    sealed = [(step, path) for step, path in by_step(folder) if (path / MANIFEST).is_file()]
    for _, path in sealed[:-KEEP]:
        shutil.rmtree(path)
    for step, path in by_step(folder, ASIDE):
        if sealed and step <= sealed[-1][0]:
            shutil.rmtree(path)


def _digests(checkpoint: Path) -> dict[str, list[object]]:
    digests: dict[str, list[object]] = {}
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:  # In blocks: a checkpoint is looked at when memory has run out, too.
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[str(path.relative_to(checkpoint))] = [path.stat().st_size, digest]
    return digests
