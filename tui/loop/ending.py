"""Leaving when asked from outside: a signal, or a terminal that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import TextIO

PATIENCE = 3.0
"""Seconds for leaving in order. A terminal that no longer reads would otherwise hold the process for ever."""
LEAVE_SCREEN = b"\x1b[0m\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?25h\x1b[?1049l"


def listen(leave: Callable[[int], None]) -> None:
    """Call ``leave`` on the event loop at SIGTERM and SIGHUP, and insist on the end.

    Set with ``signal.signal``, not on the loop: the handler runs even while the loop waits for a terminal that has
    stopped reading.
    """
    loop = asyncio.get_running_loop()
    settings = _terminal_settings()

    def asked(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(leave, number)
        insist(number, settings)

    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):
            signal.signal(number, asked)


def insist(number: int, settings: list[object] | None = None) -> None:
    """End the process after a while, whatever holds it; the terminal is given back as well as it can be."""
    timer = threading.Timer(PATIENCE, _end, (number, settings))
    timer.daemon = True
    timer.start()


def is_gone(terminal: TextIO | None) -> bool:
    """Whether the other side of the terminal has hung up."""
    if terminal is None or terminal.closed:
        return False
    poll = select.poll()
    poll.register(terminal.fileno(), select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _end(number: int, settings: list[object] | None) -> None:
    with contextlib.suppress(OSError):
        os.set_blocking(1, False)
        os.write(1, LEAVE_SCREEN)
    if settings is not None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(0, termios.TCSANOW, settings)  # type: ignore[arg-type]
    os._exit(128 + number)


def _terminal_settings() -> list[object] | None:
    """The settings of the terminal in its ordinary mode, as far as they can be told from the raw ones."""
    try:
        settings = termios.tcgetattr(0)
    except (termios.error, OSError):
        return None
    settings[0] |= termios.ICRNL | termios.IXON
    settings[3] |= termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG
    return list(settings)
