"""Single keys on a terminal, beside a command that is at work: read without Enter, and the terminal put back."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator

LOOK = 0.2


@contextlib.contextmanager
def on_keys(act: Callable[[str], None]) -> Iterator[bool]:
    """Call ``act`` with each key, on a thread of its own; yields whether there is a terminal to read them from.

    Ctrl+C and its kin stay signals. A command in the background reads nothing: it would be stopped for it.
    """
    if not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
        yield False
        return
    before = termios.tcgetattr(0)
    ended = threading.Event()

    def read() -> None:
        # A terminal that has gone reads as an error or as nothing.
        with contextlib.suppress(OSError):
            while not ended.is_set():
                if not select.select([0], [], [], LOOK)[0]:
                    continue
                pressed = os.read(0, 64).decode("utf-8", "replace")
                if not pressed:
                    return
                for each in pressed:
                    act(each)

    tty.setcbreak(0)
    reading = threading.Thread(target=read, name="keys", daemon=True)
    reading.start()
    try:
        yield True
    finally:
        ended.set()
        reading.join()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, before)
