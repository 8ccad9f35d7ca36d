"""The person's own editor for words: ``$VISUAL``, ``$EDITOR``, else vi."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from core.errors import SimuleeError, UsageError

STEP_SECONDS = 1.0
"""How long a signal may wait while an editor is open."""


def edit_file(path: Path) -> None:
    """Open a file in the editor, until that is closed. What was saved is in the file, however the editor ends.

    Raises UsageError when no editor can be started, SimuleeError when it failed.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        command = shlex.split(named) or ["vi"]
    except ValueError as error:
        raise UsageError(f"EDITOR is {named!r}: {error}", "write it as on a command line") from None
    # A key that interrupts is the editor's. A handler, unlike a signal that is ignored, is not handed down to it.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        code = _wait(subprocess.Popen([*command, str(path)]))
    except OSError as error:
        raise UsageError(
            f"cannot start {command[0]}: {error.strerror}", "set EDITOR to one that is installed"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if code != 0:
        raise SimuleeError(f"{command[0]} ended with {code}", "what it saved is kept; open it again")


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Until it ends. In steps: a signal that another thread has got, of a lost terminal, is acted on between two."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(STEP_SECONDS)
