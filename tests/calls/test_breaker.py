"""A server that fails is let alone after a few rounds of failures, and tried again by one call after a while."""

from __future__ import annotations

import asyncio

import pytest

from core.calls.breaker import SERVER_FAILING, Bounds, Breaker
from core.models.generation import CallFailed

BROKEN = CallFailed("server error", "it answered 500", retryable=True)
BOUNDS = Bounds(failures=3, refusals=5, invalid=4)


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pauses() -> list[int]:
    return []


@pytest.fixture
def breaker(clock: Clock, pauses: list[int]) -> Breaker:
    return Breaker(BOUNDS, 10.0, pauses.append, clock)


def failing_round(breaker: Breaker, clock: Clock, calls: int = 1) -> None:
    """Calls that leave together and fail together."""
    started = clock.at
    clock.at += 1
    for _ in range(calls):
        breaker.failed(started, BROKEN)


def test_many_failures_at_once_are_one(breaker: Breaker, clock: Clock) -> None:
    failing_round(breaker, clock, 32)
    failing_round(breaker, clock, 32)
    assert not breaker.is_open
    failing_round(breaker, clock)
    assert breaker.is_open


def test_an_answer_between_begins_the_count_anew(breaker: Breaker, clock: Clock, pauses: list[int]) -> None:
    for _ in range(5):
        failing_round(breaker, clock)
        failing_round(breaker, clock)
        breaker.answered()
    assert not breaker.is_open
    assert pauses == [2] * 5


def test_a_server_without_room_is_given_more_patience(breaker: Breaker, clock: Clock) -> None:
    for count in range(BOUNDS.refusals):
        assert not breaker.is_open, count
        clock.at += 1
        breaker.refused(clock.at - 0.5, BROKEN)
    assert breaker.is_open


def test_answers_of_which_none_is_valid_open_it_too(breaker: Breaker) -> None:
    for _ in range(BOUNDS.invalid):
        assert not breaker.is_open
        breaker.not_valid(BROKEN)
    assert breaker.is_open


def test_while_it_is_open_calls_fail_at_once_and_may_be_asked_later(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        failing_round(breaker, clock)
    with pytest.raises(CallFailed, match="it answered 500") as failed:
        asyncio.run(breaker.admit())
    assert failed.value.reason == SERVER_FAILING
    assert failed.value.retryable


@pytest.mark.parametrize("well", [True, False])
def test_after_the_cooldown_one_call_goes_and_the_others_wait_for_it(
    breaker: Breaker, clock: Clock, well: bool
) -> None:
    async def work() -> list[object]:
        assert await breaker.admit()
        others = [asyncio.create_task(breaker.admit()) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(other.done() for other in others)
        if well:
            breaker.answered()
        else:
            breaker.failed(clock.at, BROKEN)
        breaker.probed()
        return list(await asyncio.gather(*others, return_exceptions=True))

    for _ in range(3):
        failing_round(breaker, clock)
    clock.at += 10
    after = asyncio.run(work())
    if well:
        assert after == [False] * 5
    else:
        assert [isinstance(each, CallFailed) for each in after] == [True] * 5
