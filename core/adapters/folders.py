"""A folder that appears whole or not at all, and replaces the one before it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import UsageError

NEW, OLD = "new", "old"


@contextmanager
def replacing(target: Path, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to fill, which becomes ``target`` when the block ends well and is gone when it does not.

    What stands at ``target`` already goes only if ``ours`` knows it; else UsageError. Files are 0600, folders 0700,
    and on disk before the name is given. What a kill left of an earlier try is cleared away.
    """
    unfinished = f".{target.name}-making-"
    for left in target.parent.glob(f"{unfinished}*"):
        _clear(left, target)
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir() or not ours(target)):
        raise UsageError(
            f"{target} is there already and is no export of this adapter", "move it away, or name another --out"
        )
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=unfinished, dir=target.parent))
    making, before = place / NEW, place / OLD
    try:
        making.mkdir(mode=0o700)
        yield making
        _settle(making)
        if target.exists():
            target.rename(before)
        making.rename(target)
        _sync(target.parent)
    finally:
        _clear(place, target)


def _clear(place: Path, target: Path) -> None:
    """Remove what is left of a try; a folder that was to be replaced and was not gets its name back."""
    if (place / OLD).exists() and not os.path.lexists(target):
        (place / OLD).rename(target)
    shutil.rmtree(place, ignore_errors=True)


def _settle(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
