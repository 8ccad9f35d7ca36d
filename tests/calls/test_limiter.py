"""The number of calls at once follows what the server takes: up while it answers well, down when it has no room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from core.calls.caller import Stats, open_caller
from core.calls.limiter import ASKED_TO_WAIT, FIRST_LIMIT, Limiter, Window
from core.models.generation import CallFailed
from core.workspace import Workspace
from tests.asking import TINY, ask_each, use_server
from tests.fault_server import FaultServer


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def round_trip(window: Window, clock: Clock, seconds: float) -> None:
    """As many calls as there are places leave together and are answered together."""
    limit, started = window.limit, clock.at
    clock.at += seconds
    for _ in range(limit):
        window.answered(started, limit)


def test_the_window_doubles_each_round_trip_up_to_the_slots() -> None:
    clock = Clock()
    window = Window(32, now=clock)
    limits = []
    for _ in range(5):
        limits.append(window.limit)
        round_trip(window, clock, 0.2)
    assert limits == [FIRST_LIMIT, 2 * FIRST_LIMIT, 4 * FIRST_LIMIT, 32, 32]


def test_a_server_that_only_takes_longer_is_not_given_more() -> None:
    """Answers that take longer the more are asked for at once: one worker behind the server."""
    clock = Clock()
    window = Window(64, now=clock)
    limits = []
    for _ in range(200):
        limits.append(window.limit)
        round_trip(window, clock, 0.1 * window.limit)
    assert max(limits) <= 16
    assert min(limits) >= 3


def test_a_server_that_takes_a_little_longer_for_many_is_filled() -> None:
    """As one that reckons in batches does: thirty-two at once take twice the time of four."""
    clock = Clock()
    window = Window(32, now=clock)
    for _ in range(40):
        round_trip(window, clock, 0.2 * (window.limit / 4) ** (1 / 3))
    assert window.limit == 32


def test_longer_prompts_from_now_on_do_not_hold_the_window_down() -> None:
    clock = Clock()
    window = Window(64, now=clock)
    for _ in range(3):
        round_trip(window, clock, 0.2)
    assert window.limit == 32
    window.refused(clock.at)
    for _ in range(120):
        round_trip(window, clock, 1.0)
    assert window.limit == 64


def test_a_refusal_halves_the_window_once_for_each_round_trip() -> None:
    clock = Clock()
    window = Window(32, now=clock)
    for _ in range(4):
        round_trip(window, clock, 0.2)
    started = clock.at
    clock.at += 0.1
    for _ in range(10):
        window.refused(started)
    assert window.limit == 16
    clock.at += 0.1
    for _ in range(20):
        clock.at += 1
        window.refused(clock.at - 0.5)
    assert window.limit == 1


def test_after_a_refusal_it_grows_gently() -> None:
    clock = Clock()
    window = Window(32, now=clock)
    for _ in range(4):
        round_trip(window, clock, 0.2)
    clock.at += 1
    window.refused(clock.at)
    limits = []
    for _ in range(4):
        limits.append(window.limit)
        round_trip(window, clock, 0.2)
    assert limits == [16, 17, 18, 19]


def test_a_window_that_is_not_used_does_not_grow() -> None:
    clock = Clock()
    window = Window(32, now=clock)
    for _ in range(50):
        clock.at += 0.2
        window.answered(clock.at - 0.2, 1)
    assert window.limit == FIRST_LIMIT


def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    order: list[int] = []

    async def work() -> None:
        limiter = Limiter(2, 1.0)

        async def one(number: int) -> None:
            async with limiter.place():
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(one(number) for number in range(20)))
        assert (limiter.under_way, limiter.waiting) == (0, 0)

    asyncio.run(work())
    assert order == list(range(20))


def test_a_cancelled_wait_takes_no_place_with_it() -> None:
    async def work() -> None:
        limiter = Limiter(1, 1.0)
        async with limiter.place():
            waiting = [asyncio.create_task(limiter.take()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        await waiting[1]
        # The place is there for the last one at the very moment when it is cancelled.
        limiter.give_back()
        waiting[2].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[2]
        await limiter.take()
        assert limiter.under_way == 1

    asyncio.run(work())


def test_a_pause_holds_for_all_and_ends_by_itself() -> None:
    async def work() -> None:
        limiter = Limiter(8, 1.0)
        limiter.pause(0.05)
        waiting = [asyncio.create_task(limiter.take()) for _ in range(5)]
        await asyncio.sleep(0)
        assert (limiter.under_way, limiter.waiting) == (0, 5)
        limiter.window = Window(8, first=8)
        await asyncio.gather(*waiting)
        assert limiter.under_way == 5

    asyncio.run(work())


@pytest.mark.parametrize("looks", [1, 2])
def test_a_pause_that_ends_between_two_looks_at_the_clock_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    async def work() -> None:
        limiter = Limiter(4, 60.0)
        # Not too long; then, so often, a pause that is about to end; from then on none.
        left = iter([0.0, *[1e-6] * looks])
        monkeypatch.setattr(limiter, "_left", lambda: next(left, 0.0))
        await asyncio.wait_for(limiter.take(), 10)

    asyncio.run(work())


def test_a_longer_pause_than_one_waits_for_fails_every_call_at_once() -> None:
    async def work() -> None:
        limiter = Limiter(1, 1.0)
        async with limiter.place() as place:
            waiting = asyncio.create_task(limiter.take())
            await asyncio.sleep(0)
            place.refused(7200.0)
        for take in (waiting, limiter.take()):
            with pytest.raises(CallFailed) as failed:
                await take
            assert failed.value.reason == ASKED_TO_WAIT
            assert failed.value.retryable

    asyncio.run(work())


def stats_after(workspace: Workspace, calls: int) -> Stats:
    async def work() -> Stats:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            answers = await ask_each(caller, [f"passage {number}" for number in range(calls)])
            assert all(isinstance(each, str) for each in answers)
            return caller.stats()

    return asyncio.run(work())


def test_a_server_of_many_slots_is_filled_after_a_few_round_trips(workspace: Workspace) -> None:
    with FaultServer(latency=0.2, slots=32) as server:
        use_server(workspace, server)
        # 4 + 8 + 16 calls open the last place; the round trips after that have them all.
        assert stats_after(workspace, 4 + 8 + 16 + 3 * 32).limit == 32
        assert 16 < server.most_at_once <= 32


def test_never_more_at_once_than_the_settings_say(workspace: Workspace) -> None:
    with FaultServer(latency=0.01) as server:
        use_server(workspace, server, concurrency=5)
        stats_after(workspace, 100)
        assert server.most_at_once == 5


def test_a_server_that_takes_few_is_soon_asked_no_more_than_that(workspace: Workspace) -> None:
    with FaultServer(latency=0.01, refuses_above=6) as server:
        use_server(workspace, server)
        stats = stats_after(workspace, 400)
        assert stats.limit <= 12
        assert stats.answered == 400
        assert 0 < stats.failures["rate limit"] < 200
        assert set(stats.failures) == {"rate limit"}
