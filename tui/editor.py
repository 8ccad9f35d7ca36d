"""The person's own editor for words: ``$VISUAL``, ``$EDITOR``, else vi."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from core.errors import SimuleeError, UsageError


def edit(text: str, suffix: str = ".txt") -> str:
    """The words after the editor has closed; they lie in a file of mode 0600 meanwhile.

    Raises UsageError when no editor can be started, SimuleeError when it failed: then nothing is changed.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
    descriptor, name = tempfile.mkstemp(suffix=suffix, prefix="simulee-")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        try:
            done = subprocess.run([*command, name], check=False)
        except OSError as error:
            raise UsageError(
                f"cannot start {command[0]}: {error.strerror}", "set EDITOR to one that is installed"
            ) from None
        if done.returncode != 0:
            raise SimuleeError(f"{command[0]} ended with {done.returncode}: nothing was changed", "try again")
        return path.read_text("utf-8", "replace").rstrip("\n")
    finally:
        path.unlink(missing_ok=True)
