"""The circuit breaker: when a server fails again and again, it is let alone, and what waits is parked at once.

Failures that are under way together count as one: thirty connections that break when a server restarts are one event.
From the second one in a row on, nothing leaves for a growing while. After so many in a row the circuit is open: calls
fail at once, until after a cooldown one call goes as a probe, and the others wait for what becomes of it. A server
without room is given more patience than one that fails; answers of which none is valid open the circuit too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.models.generation import CallFailed

SERVER_FAILING = "server failing"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much in a row, without a valid answer between, opens the circuit."""

    failures: int = 6
    """With the growing pauses between them, a server that restarts has about 15 s."""
    refusals: int = 20
    """A server without room: with the pauses about eight minutes."""
    invalid: int = 60
    """Answers that are none, one by one: the model cannot do it at all."""


class Breaker:
    """Counts what goes wrong in a row, and decides whether a call may leave. For one event loop."""

    def __init__(
        self,
        bounds: Bounds,
        cooldown: float,
        pause: Callable[[int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pause`` is told how much went wrong in a row, from the second time on. ``cooldown`` is in seconds."""
        self._bounds = bounds
        self._cooldown = cooldown
        self._pause = pause
        self._now = now
        self._failures = self._refusals = self._invalid = 0
        self._counted_at = float("-inf")
        self._opened_at: float | None = None
        self._probe: asyncio.Event | None = None
        self._why = ""

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    async def admit(self) -> bool:
        """Let a call leave; says whether it is the probe, whose end ``probed`` must be told.

        Raises CallFailed while the circuit is open.
        """
        while self._opened_at is not None:
            if self._probe is not None:
                await self._probe.wait()
                continue
            if self._now() - self._opened_at < self._cooldown:
                raise CallFailed(SERVER_FAILING, f"the server keeps failing: {self._why}", retryable=True)
            self._probe = asyncio.Event()
            return True
        return False

    def probed(self) -> None:
        """The probe has ended, one way or another; those that wait for it look again."""
        if self._probe is not None:
            self._probe.set()
            self._probe = None

    def answered(self) -> None:
        """The server gave a valid answer."""
        self._failures = self._refusals = self._invalid = 0
        self._opened_at = None

    def not_valid(self, failure: CallFailed) -> None:
        """The server answered, and the answer is none: it is not failing, but the model may be no good."""
        self._failures = self._refusals = 0
        self._invalid += 1
        if self._invalid < self._bounds.invalid:
            self._opened_at = None
        else:
            self._open(f"{self._invalid} answers in a row were none: {failure.message}")

    def refused(self, started: float, failure: CallFailed) -> None:
        """The server had no room for a call that began at ``started``."""
        if self._counts(started):
            self._refusals += 1
            self._wait_or_open(self._refusals, self._bounds.refusals, failure)

    def failed(self, started: float, failure: CallFailed) -> None:
        """The server, not the item, is why a call that began at ``started`` has no answer."""
        if self._opened_at is not None:
            self._open(failure.message)
        elif self._counts(started):
            self._failures += 1
            self._wait_or_open(self._failures, self._bounds.failures, failure)

    def _counts(self, started: float) -> bool:
        """Whether a call left after the last thing that was counted."""
        if started < self._counted_at:
            return False
        self._counted_at = self._now()
        return True

    def _wait_or_open(self, count: int, most: int, failure: CallFailed) -> None:
        if count >= most:
            self._open(failure.message)
        elif count > 1:
            self._pause(count)

    def _open(self, why: str) -> None:
        self._why = why
        self._opened_at = self._now()
