"""Checkpoints that are whole or not used: a SHA-256 manifest is written last and verified before a resume.

The trainer itself goes on silently with a missing optimizer file or a flipped byte, so the check is ours. Checkpoints
are ordered by step, never by clock.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
from pathlib import Path

from core.atomic import write_atomically

MANIFEST = "manifest.json"
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
KEEP = 2
"""Verified checkpoints that stay on disk."""


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


def by_step(folder: Path) -> list[tuple[int, Path]]:
    """(step, path) of every checkpoint, ascending."""
    found = []
    for path in folder.glob("checkpoint-*"):
        number = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if number and path.is_dir():
            found.append((int(number[1]), path))
    return sorted(found)


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that verifies, and the names of damaged ones, which are set aside as ``damaged-…``.

    One that cannot be read is passed over like a damaged one. Raises OSError where for that reason none is left.
    """
    passed: list[Path] = []
    whole, unread = None, None
    for _, path in reversed(by_step(folder)):
        try:
            if is_whole(path):
                whole = path
                break
        except OSError as error:
            unread = error
        passed.append(path)
    if whole is None and unread is not None:
        raise unread
    for path in passed:
        aside = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    return whole, [path.name for path in passed]


def prune(folder: Path) -> None:
    """Remove all but the newest sealed checkpoints."""
    sealed = [path for _, path in by_step(folder) if (path / MANIFEST).is_file()]
    for path in sealed[:-KEEP]:
        shutil.rmtree(path)


def _digests(checkpoint: Path) -> dict[str, list[object]]:
    digests: dict[str, list[object]] = {}
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:  # In blocks: a checkpoint is looked at when memory has run out, too.
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[str(path.relative_to(checkpoint))] = [path.stat().st_size, digest]
    return digests
