"""How many calls may be under way at once: as many as the server takes well, found out while working.

Slow start as in TCP (RFC 5681): every answer opens one more place, so that the window doubles each round trip, until a
call is refused or more places no longer bring more answers. From then on it grows by one a round trip while they do. A
refusal halves it, once per round trip. A wait that the server asks for holds for every call that has not left.

Whether places bring answers is told from the time that a round of calls takes: against the quickest round, it may grow
with the number of places, but less than they do. A round that is slow for another reason, longer prompts for one, looks
the same; so after a while half the places are closed for a round, and a new measure is taken (as BBR does).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from types import TracebackType

from core.models.generation import CallFailed

FIRST_LIMIT = 4
ASKED_TO_WAIT = "asked to wait"
"""Why a call fails that would have to wait for longer than one is ready to."""
WORTH = 0.6
"""Places n times as many may make a round n ** WORTH times as long: doubled, they must bring a third more answers."""
SLACK = 1.25
"""What a round may take more than that by chance."""
SLOW_ROUNDS = 10
"""Rounds in a row that take too long before the measure is taken anew."""


class Window:
    """The number of places, from what happens to the calls; knows nothing of waiting."""

    def __init__(self, most: int, first: int = FIRST_LIMIT, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._limit = min(first, most)
        self._slow_start = True
        self._cut_at = float("-inf")
        self._round: list[float] = []
        self._places = self._limit
        self._quickest: tuple[float, int] | None = None
        self._slow_rounds = 0
        self._settling = False

    @property
    def limit(self) -> int:
        """Calls that may be under way at once: at least 1, at most what the engine takes."""
        return self._limit

    def answered(self, started: float, under_way: int) -> None:
        """A call that began at ``started`` was answered, while so many were under way."""
        # A window that is not filled tells nothing about a larger one.
        if 2 * under_way < self._limit:
            return
        if self._slow_start:
            self._limit = min(self._most, self._limit + 1)
        self._round.append(self._now() - started)
        if len(self._round) >= self._places:
            self._end_round()

    def refused(self, started: float) -> None:
        """The server had no room for a call that began at ``started``."""
        self._slow_start = False
        # Calls that left before the last cut tell of the window as it was then.
        if started > self._cut_at:
            self._limit = max(1, self._limit // 2)
            self._cut_at = self._now()
            self._begin_round()

    def _begin_round(self) -> None:
        self._round.clear()
        self._places = self._limit

    def _end_round(self) -> None:
        seconds, places = median(self._round), self._places
        if self._settling:
            # This round was under way when the places were closed.
            self._settling = False
        elif self._quickest is None or seconds < self._quickest[0]:
            self._quickest = (seconds, places)
            self._slow_rounds = 0
        elif seconds <= SLACK * self._quickest[0] * max(1.0, places / self._quickest[1]) ** WORTH:
            self._slow_rounds = 0
        else:
            self._slow_start = False
            self._slow_rounds += 1
            if self._slow_rounds > SLOW_ROUNDS:
                self._limit = max(1, self._limit // 2)
                self._quickest, self._settling, self._slow_rounds = None, True, 0
        if not self._slow_start and not self._slow_rounds and not self._settling:
            self._limit = min(self._most, self._limit + 1)
        self._begin_round()


class Limiter:
    """Places for calls, handed out in the order in which they were asked for. For one event loop."""

    def __init__(self, most: int, longest_pause: float, first: int = FIRST_LIMIT) -> None:
        """``longest_pause`` is in seconds: where the server asks for more, calls fail at once."""
        self.window = Window(most, first)
        self._longest_pause = longest_pause
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._under_way = 0
        self._paused_until = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> int:
        return self._under_way

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def pause(self, seconds: float) -> None:
        """No call leaves for so many seconds, or for what is left of a longer pause."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)
        if self._left() > self._longest_pause:
            while self._waiting:
                future = self._waiting.popleft()
                if not future.done():
                    future.set_exception(self._too_long())

    def place(self) -> Place:
        """``async with limiter.place() as place:`` waits for a place and gives it back.

        Raises CallFailed when the server has asked for a longer wait than one is ready to make.
        """
        return Place(self)

    async def take(self) -> None:
        if self._left() > self._longest_pause:
            raise self._too_long()
        if not self._waiting and self._is_open():
            self._under_way += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._set_alarm()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.give_back()
            raise

    def give_back(self) -> None:
        self._under_way -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._is_open():
            future = self._waiting.popleft()
            if not future.done():
                self._under_way += 1
                future.set_result(None)
        self._set_alarm()

    def _is_open(self) -> bool:
        return self._under_way < self.window.limit and self._left() <= 0

    def _left(self) -> float:
        return self._paused_until - time.monotonic()

    def _set_alarm(self) -> None:
        """Where a place is free and only a pause kept somebody from it, its end must admit by itself: nobody gives a
        place back. The pause may have ended since it was looked at."""
        if self._alarm is not None or not self._waiting or self._under_way >= self.window.limit:
            return

        def ring() -> None:
            self._alarm = None
            self._admit()

        self._alarm = asyncio.get_running_loop().call_later(max(0.0, self._left()), ring)

    def _too_long(self) -> CallFailed:
        left = self._left()
        return CallFailed(
            ASKED_TO_WAIT, f"the server asks to wait for {left:.0f} s more", retryable=True, retry_after=left
        )


class Place:
    """One call's place, from the moment it may leave."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self.started = 0.0

    async def __aenter__(self) -> Place:
        await self._limiter.take()
        self.started = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.give_back()

    def answered(self) -> None:
        self._limiter.window.answered(self.started, self._limiter.under_way)

    def refused(self, wait: float | None) -> None:
        self._limiter.window.refused(self.started)
        if wait:
            self._limiter.pause(wait)
