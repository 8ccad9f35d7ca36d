"""A path that settings or a command line name, made to mean the same wherever it is read from."""

from __future__ import annotations

from pathlib import Path


def placed(path: str, folder: Path) -> str:
    """A path as it is from ``folder`` on, with ``~`` as somebody's home; one that can be none stays as it is."""
    try:
        whole = folder.absolute() / Path(path).expanduser()
        return str(whole.resolve() if ".." in whole.parts else whole)
    except (OSError, RuntimeError, ValueError):  # Nobody is called so, it goes around in links, it has a NUL.
        return path
