"""Whose turn it is: as many answers at once as there are slots, the rest in a queue with an end, and one session's
questions one after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.twin.serving.refusals import too_busy

RETRY_AFTER = 2
"""Seconds that a refused client is asked to wait."""


class Turns:
    """Belongs to the event loop."""

    def __init__(self, slots: int, queue: int) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._most = slots + queue
        self._queue = queue
        self._sessions: dict[str, tuple[asyncio.Lock, int]] = {}
        """Lock, and who holds it or waits for it."""
        self.busy = 0
        """Questions that are answered or wait."""

    def admit(self) -> None:
        """One more question; ``leave`` when it has ended. Raises Refusal where the queue is full."""
        if self.busy >= self._most:
            raise too_busy(f"{self._queue} questions are waiting already", RETRY_AFTER)
        self.busy += 1

    def leave(self) -> None:
        self.busy -= 1

    @asynccontextmanager
    async def of(self, session: str) -> AsyncIterator[None]:
        """The turn of one question of a session, which ends with its answer; empty where there is none yet."""
        if not session:
            yield
            return
        lock, users = self._sessions.get(session, (asyncio.Lock(), 0))
        self._sessions[session] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._sessions[session]
            if users == 1:
                del self._sessions[session]
            else:
                self._sessions[session] = (lock, users - 1)

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """One of the slots."""
        async with self._slots:
            yield
