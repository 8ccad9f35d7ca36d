"""The circuit breaker: when a server fails again and again, it is let alone, and what waits is parked at once.

Failures that are under way together count as one: thirty connections that break when a server restarts are one event.
From the second failure in a row on, nothing leaves for a growing while. After ``most_failures`` of them the circuit is
open: calls fail at once, until after a cooldown one call goes as a probe, and the others wait for what becomes of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from core.models.generation import CallFailed

SERVER_FAILING = "server failing"


class Breaker:
    """Counts a server's failures in a row, and decides whether a call may leave. For one event loop."""

    def __init__(
        self,
        most_failures: int,
        most_invalid: int,
        cooldown: float,
        pause: Callable[[int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``most_invalid`` items in a row without a valid answer open the circuit too.

        ``pause`` is told the number of failures in a row, from the second on. ``cooldown`` is in seconds.
        """
        self._most_failures = most_failures
        self._most_invalid = most_invalid
        self._cooldown = cooldown
        self._pause = pause
        self._now = now
        self._failures = 0
        self._invalid = 0
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

    def heard(self) -> None:
        """The server answered, valid or not: it is not failing."""
        self._failures = 0
        if self._invalid < self._most_invalid:
            self._opened_at = None

    def answered(self) -> None:
        """The server gave a valid answer."""
        self._failures = self._invalid = 0
        self._opened_at = None

    def failed(self, started: float, failure: CallFailed) -> None:
        """The server, not the item, is why a call that began at ``started`` has no answer."""
        self._why = failure.message
        if self._opened_at is not None:
            self._opened_at = self._now()
            return
        if started < self._counted_at:
            return
        self._counted_at = self._now()
        self._failures += 1
        if self._failures >= self._most_failures:
            self._opened_at = self._now()
        elif self._failures > 1:
            self._pause(self._failures)

    def gave_up(self, failure: CallFailed) -> None:
        """An item is parked because no answer to it was valid, or the server had no room for it."""
        self._invalid += 1
        if self._invalid >= self._most_invalid and self._opened_at is None:
            self._why = f"{self._invalid} items in a row without an answer: {failure.message}"
            self._opened_at = self._now()
