"""What stands between the workbench and the terminal: input that is not UTF-8, and proof that a card was painted."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

from textual.drivers import linux_driver

CURSOR_REPORT = "\x1b[6n"
"""Asks where the cursor is. A terminal answers in order: what was written before has then been drawn."""

_strict_decoder: Callable[[str], Any] = codecs.getincrementaldecoder


def _tolerant_decoder(encoding: str) -> Callable[..., Any]:
    return lambda: _strict_decoder(encoding)(errors="replace")


class TolerantDriver(linux_driver.LinuxDriver):
    """Textual's driver, for which one byte that is not UTF-8 is not the end."""

    def run_input_thread(self) -> None:
        """Read input with a decoder that replaces what it cannot read."""
        setattr(linux_driver, "getincrementaldecoder", _tolerant_decoder)  # noqa: B010 - the driver names no option for it
        super().run_input_thread()


class PaintProof:
    """Whether the terminal has confirmed that it painted what was last asked about.

    ``ask`` gives a number; once the terminal's answer to it has come, ``confirmed`` is that number or a later one.
    Where ``trusted`` is on, or nothing can answer (no terminal), a paint counts as soon as it is written.
    """

    def __init__(self, write: Callable[[str], None] | None, trusted: bool) -> None:
        self._write = write
        self.trusted = trusted
        self.asked = 0
        self.confirmed = 0

    @property
    def waits(self) -> bool:
        """Whether an answer is awaited."""
        return not self.trusted and self._write is not None and self.confirmed < self.asked

    def ask(self) -> int:
        """Ask after the bytes written so far."""
        self.asked += 1
        if self._write is not None and not self.trusted:
            self._write(CURSOR_REPORT)
        return self.asked

    def answer(self) -> None:
        """The terminal answered the oldest open question."""
        if self.confirmed < self.asked:
            self.confirmed += 1

    def holds(self, number: int) -> bool:
        """Whether the paint with this number was seen."""
        return self.trusted or self._write is None or self.confirmed >= number
