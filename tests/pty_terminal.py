"""A terminal for tests and benches: a real PTY, a process on it, and an emulator that says what a person would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pyte

CURSOR_QUERY = b"\x1b[6n"
COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]
"""The real command, whatever PATH says."""
_PRIVATE = re.compile(rb"\x1b\[[<>=?][0-9;:]*[a-zA-Z]|\x1b\[[0-9;]*\$[a-z]")


class Terminal:
    """One process on one PTY. What it writes is kept whole in ``output`` and drawn on ``screen``."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        rows: int = 24,
        cwd: Path | None = None,
        answers: bool = True,
        **environment: str,
    ) -> None:
        """``answers`` off: a terminal that never confirms a paint."""
        self.answers = answers
        self.output = bytearray()
        self.queries = 0
        """How often the process has asked where the cursor is: after each painted card, once."""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._undrawn = bytearray()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(cwd or Path.cwd())
            settings = {
                "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **os.environ, **environment,
            }  # fmt: skip
            for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
                if name not in environment:
                    settings.pop(name, None)
            os.execvpe(command[0], list(command), settings)
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def type(self, keys: str | bytes) -> None:
        """Send keys. A process that has gone takes none."""
        data = keys.encode() if isinstance(keys, str) else keys
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._master, data[:1024]) :]
                if data:
                    self.read(0)

    def read(self, seconds: float = 0.05, draw: bool = True) -> bytes:
        """What has been written, waiting at most this long for it; b'' when nothing came or the process has gone.

        ``draw`` off keeps it for a later read to draw.
        """
        if not select.select([self._master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return b""
        self.output += data
        asked = data.count(CURSOR_QUERY)
        self.queries += asked
        if asked and self.answers:
            with contextlib.suppress(OSError):
                os.write(self._master, b"\x1b[1;1R" * asked)
        self._undrawn += data
        if draw:
            with contextlib.suppress(Exception):  # The emulator is no judge of what a library writes.
                self._stream.feed(_PRIVATE.sub(b"", bytes(self._undrawn)))
            self._undrawn.clear()
        return data

    def seconds_to_query(self, key: str, most: float = 5.0) -> float:
        """Press a key; the seconds until the process asks where the cursor is, which it does once it has painted.

        What it wrote is drawn with the next read: this emulator is slow, and its time is not the process's.
        """
        asked = self.queries
        began = time.perf_counter()
        self.type(key)
        while self.queries == asked and time.perf_counter() - began < most:
            self.read(0.001, draw=False)
        return time.perf_counter() - began

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """Read until the screen shows the text; returns the screen. Raises AssertionError with it otherwise."""
        return self.wait_until(lambda: text in self.text, f"{text!r} on the screen", seconds)

    def wait_until(self, holds, what: str, seconds: float = 30) -> str:  # type: ignore[no-untyped-def]
        """Read until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                last = bytes(self.output[-300:])
                raise AssertionError(f"no {what} within {seconds} s; the screen:\n{self.text}\n{last!r}")
            self.read()
        return self.text

    def settle(self, quiet: float = 0.3, seconds: float = 10) -> str:
        """Read until nothing has come for a while."""
        deadline = time.monotonic() + seconds
        last = time.monotonic()
        while time.monotonic() - last < quiet and time.monotonic() < deadline:
            if self.read(0.05):
                last = time.monotonic()
        return self.text

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def hang_up(self) -> None:
        """Close the terminal as a lost connection does."""
        with contextlib.suppress(OSError):
            os.close(self._master)

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = 20) -> int | None:
        """The exit code (negative: the signal), or None when it still lives."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                while self.read(0.05):
                    pass
                return os.waitstatus_to_exitcode(status)
            self.read(0.02)
        return None

    def ends(self, seconds: float = 15) -> bool:
        """Whether the process ends by itself; nothing is read meanwhile, as when the line is lost."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        """End the process, whatever it does."""
        self.send_signal(signal.SIGKILL)
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(self.pid, 0)
        self.hang_up()
