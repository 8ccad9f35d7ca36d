"""How often one thing is asked again, and after how long: by tenacity, with counts of our own.

What failed decides: no room at the server, a server that fails, an answer that is none, or nothing that could ever
succeed. Every count is bounded, so that each ask ends.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_exponential_jitter

from core.calls.breaker import SERVER_FAILING
from core.calls.limiter import ASKED_TO_WAIT
from core.models.generation import Ask, CallFailed

NO_ROOM = frozenset(("rate limit", "overloaded"))
SERVER_FAULTS = frozenset(
    (
        "server error", "timeout", "connection", "cut off", "not an answer", "no finish", "too large", "redirect",
        "not authorized", "not found", "quota",
    )
)  # fmt: skip
"""Reasons that are the server's and not the item's; all others but ``NO_ROOM`` are the item's."""
UNUSED = NO_ROOM | {
    "connection", "server error", "redirect", "not authorized", "not found", "quota", "refused", "parameter refused",
    "prompt too long", SERVER_FAILING, ASKED_TO_WAIT,
}  # fmt: skip
"""Reasons for which a server charges nothing; after any other the most that the call could use counts as used."""
FINAL = frozenset((SERVER_FAILING, ASKED_TO_WAIT))
"""Failures without a call: the item is parked at once."""
ROOM_FACTOR = 3
"""A call without room was not made, so it may be tried more often than one that failed."""
MOST_INVALID = 3
"""Answers to one ask that are none: a model that fails three times seldom does better the fourth."""
MOST_PARAMETERS = 6
"""Refusals of parameters for one ask: each is left out after the first."""
WARMER = 0.4
"""Temperature for asking again after an answer that is none: at 0 the model would only repeat it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds of waiting; tests take tiny ones."""

    first: float = 0.5
    """Before the second attempt; doubles from then on, with as much again by chance."""
    most: float = 30.0
    longest_pause: float = 600.0
    """A server that asks for a longer wait is not waited for."""
    cooldown: float = 30.0
    """How long a failing server is let alone before a probe."""


class Patience:
    """The attempts at one ask."""

    def __init__(self, attempts: int, waits: Waits) -> None:
        self._attempts = attempts
        self._waits = waits
        self._failures = {"no room": 0, "server": 0, "invalid": 0, "parameter": 0}
        self._backoff = wait_exponential_jitter(multiplier=waits.first, max=waits.most, jitter=waits.first)

    def retrying(self) -> AsyncRetrying:
        """Calls a function until it succeeds or the attempts are used up, and raises its last error."""
        return AsyncRetrying(retry=retry_if_exception(_may_succeed), stop=self._stop, wait=self._wait, reraise=True)

    def as_asked_now(self, ask: Ask) -> Ask:
        """The ask itself, or after invalid answers a warmer one with another seed."""
        again = self._failures["invalid"]
        if not again:
            return ask
        return replace(ask, seed=ask.seed + again, temperature=max(ask.temperature, WARMER))

    def _stop(self, state: RetryCallState) -> bool:
        failure = _failure(state)
        kind = kind_of(failure)
        most = {
            "no room": ROOM_FACTOR * self._attempts,
            "server": self._attempts,
            "parameter": MOST_PARAMETERS,
            "invalid": min(self._attempts, MOST_INVALID),
        }[kind]
        self._failures[kind] += 1
        too_long = failure.retry_after is not None and failure.retry_after > self._waits.longest_pause
        return too_long or self._failures[kind] >= most

    def _wait(self, state: RetryCallState) -> float:
        failure = _failure(state)
        if failure.retry_after is not None:
            # Apart from one another, or all that were refused together would come back together.
            return failure.retry_after * (1 + random.random() / 10)  # noqa: S311
        return 0.0 if kind_of(failure) == "invalid" else self._backoff(state)


def kind_of(failure: CallFailed) -> str:
    """``no room``, ``server``, ``parameter`` or ``invalid``: whose the failure is."""
    if failure.reason in NO_ROOM:
        return "no room"
    if failure.reason in SERVER_FAULTS:
        return "server"
    return "parameter" if failure.reason == "parameter refused" else "invalid"


def _may_succeed(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.retryable and error.reason not in FINAL


def _failure(state: RetryCallState) -> CallFailed:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, CallFailed)
    return error
