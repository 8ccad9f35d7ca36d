"""Whose turn it is, how many may wait, and how often may be asked."""

from __future__ import annotations

import asyncio

import pytest

from core.twin.serving.guard import Pace
from core.twin.serving.refusals import Refusal
from core.twin.serving.turns import Turns


def test_one_session_s_questions_follow_one_another_and_others_do_not_wait() -> None:
    async def talk() -> list[str]:
        turns, told, go = Turns(4, 4), [], asyncio.Event()

        async def answer(session: str, name: str, wait: bool) -> None:
            async with turns.of(session):
                told.append(f"{name} begins")
                if wait:
                    await go.wait()
                told.append(f"{name} ends")

        waiting = [asyncio.create_task(answer("5", name, True)) for name in ("first", "second", "third")]
        await asyncio.create_task(answer("6", "other", False))
        await asyncio.create_task(answer("", "new", False))
        go.set()
        await asyncio.gather(*waiting)
        assert not turns._sessions, "no lock is left behind"
        return told

    assert asyncio.run(talk()) == [
        "first begins", "other begins", "other ends", "new begins", "new ends", "first ends", "second begins",
        "second ends", "third begins", "third ends",
    ]  # fmt: skip


def test_a_full_queue_refuses_with_a_time_to_come_again() -> None:
    turns = Turns(1, 1)
    turns.admit()
    turns.admit()
    with pytest.raises(Refusal) as refused:
        turns.admit()
    assert refused.value.status == 429
    assert int(refused.value.response().headers["Retry-After"]) > 0
    turns.leave()
    turns.admit()


def test_only_so_many_requests_a_minute_pass() -> None:
    pace = Pace(60)
    assert [pace.take() for _ in range(60)] == [0] * 60
    assert pace.take() == 1
    assert not any(Pace(0).take() for _ in range(100))
