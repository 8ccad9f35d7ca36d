"""What holds a review against itself, with the keyboard: the blind sample, second looks, figures, a learning order."""

from __future__ import annotations

import asyncio
import getpass
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.review.blind import blind_sample
from core.review.decisions import Actor, Decision, decide
from core.review.second_looks import consistency, due
from core.review.shares import Share
from core.store.blind_draws import drawn
from core.store.decisions import card_states
from core.store.learned import find_learned, question_bits
from core.workspace import Workspace
from tests.review.verdicts import decide_each, follows_the_judge, uid
from tests.review_rows import fill
from tests.tui.screens.reviewing import card, memory, row, stage
from tui.widgets.text import Words

ME = Actor("person", getpass.getuser())
COUNT = 300


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    """A workspace with memories that wait."""
    fill(workspace.database, COUNT)
    return workspace


def line(seat: Any, name: str) -> str:
    return stage(seat).query_one(f"#{name}", Words).shown


def test_a_blind_sample_is_drawn_hides_what_the_judges_said_and_counts(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        assert "bits" in card(seat)
        await seat.press("b")
        assert "Blind sample of how many?" in seat.shown
        await seat.press("ctrl+u", "5", "enter")
        assert "5 drawn" in seat.said
        waiting = [each.memory_id for each in drawn(queue.database, ME.name)]
        assert len(waiting) == 5
        for number in waiting:
            assert row(seat) == number
            assert memory(queue, number).question in " ".join(card(seat).split())
            assert "hidden on this card" in card(seat)
            assert "bits" not in card(seat)
            await seat.press("a")
        assert row(seat) not in waiting
        assert "bits" in card(seat)
        assert blind_sample(queue.database, ME.name).decided == 5
        await seat.press("u")
        assert row(seat) == waiting[-1]
        assert "bits" not in card(seat)
        await seat.press("x")
        sample = blind_sample(queue.database, ME.name)
        assert (sample.decided, sample.accepted) == (5, 4)

    sit(queue.root, "review", work)


def test_a_blind_sample_can_be_gone_to_and_given_up(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("b", "ctrl+u", *"none", "enter")
        assert "nothing was drawn" in seat.said
        await seat.press("b", "ctrl+u", "7", "enter", "x", "end", "b")
        assert "6 wait at the head" in seat.shown
        await seat.press("1")
        assert row(seat) == drawn(queue.database, ME.name)[1].memory_id
        await seat.press("b", "3")
        assert "6 memories are no longer" in seat.said
        assert row(seat) == 1
        sample = blind_sample(queue.database, ME.name)
        assert (sample.drawn, sample.decided) == (1, 1)

    sit(queue.root, "review", work)


def test_the_header_tells_pace_and_time_and_the_line_under_it_agreement_and_precision(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    accepts = follows_the_judge(queue.database, COUNT, 60)
    decide_each(queue.database, range(1, 16), accepts, ME)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "judge agrees" in line(seat, "rule"))
        bits = question_bits(queue.database, range(1, 16))
        right = sum((bits[number] >= 0) == accepts(number) for number in bits)
        foretold = [accepts(number) for number in bits if bits[number] >= 0]
        assert f"judge agrees {right / 15:.0%} of last 15 " in line(seat, "rule")
        assert f"agrees with you {right / 15:.0%}" in card(seat)
        assert f"at 0 right {Share(sum(foretold), len(foretold)).words} ──" in line(seat, "rule")
        for _ in range(6):
            await seat.press("a")
        assert re.search(rf"21/{COUNT} · \d+% kept · \d+/min · about \d+ (s|min|h)", line(seat, "header"))
        assert all(len(painted) <= 80 for painted in seat.painted)
        assert line(seat, "header").rstrip().endswith(("s", "min", "h"))

    sit(queue.root, "review", work)


def test_after_thirty_verdicts_the_order_is_learned_while_one_decides(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.press("s", "3")
        for number in range(40):
            await seat.press("a" if abs(row(seat)) % 3 == 0 else "x")
            if number in (29, 39):
                await seat.until(lambda: find_learned(queue.database, ME.name) is not None)
        learned = find_learned(queue.database, ME.name)
        assert learned is not None
        session = stage(seat).session
        assert session.walk is not None

        def uncertain_first() -> bool:
            found = find_learned(queue.database, ME.name)
            assert found is not None
            assert session.walk is not None
            ahead = [number for number in session.walk.ids[session.place + 15 :] if number > 0]
            distances = [abs(found.chance_of[number] - 0.5) for number in ahead]
            return len(ahead) > 100 and distances == sorted(distances)

        await seat.until(uncertain_first)
        assert sorted(abs(number) for number in session.walk.ids if number > 0) == list(range(1, COUNT + 1))

    sit(queue.root, "review", work)


def test_learning_waits_for_a_pause_between_keys(
    queue: Workspace, sit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(seat: Any) -> None:
        session = stage(seat).session
        learned: list[int] = []

        async def renew() -> bool:
            learned.append(len(session._times))
            return False

        monkeypatch.setattr(session, "renew", renew)
        monkeypatch.setattr("tui.screens.review.session.LONGEST_ROW", 600.0)
        monkeypatch.setattr("tui.screens.review.session.PAUSE_BETWEEN_KEYS", 1.0)
        await seat.press(*"axaxaxaxaxax")  # It is due since the tenth.
        assert learned == []
        await seat.until(lambda: bool(learned))
        assert learned == [12]

    sit(queue.root, "review", work)


def test_in_an_unbroken_row_of_decisions_learning_waits_no_longer_than_a_while(
    queue: Workspace, sit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(seat: Any) -> None:
        session = stage(seat).session

        async def decide_without_end() -> None:
            while True:
                session._times.append(time.monotonic())
                await asyncio.sleep(0.005)

        monkeypatch.setattr("tui.screens.review.session.PAUSE_BETWEEN_KEYS", 0.1)
        monkeypatch.setattr("tui.screens.review.session.LONGEST_ROW", 0.3)
        row = asyncio.create_task(decide_without_end())
        try:
            await asyncio.sleep(0.02)
            await asyncio.wait_for(session.pause(), 20)
        finally:
            row.cancel()

    sit(queue.root, "review", work)


def test_a_card_comes_back_without_a_trace_and_the_second_verdict_is_kept_apart(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    decide_each(queue.database, range(1, 201), lambda number: True, ME)
    rows = due(queue.database, ME.name)
    assert rows

    async def work(seat: Any) -> None:
        walk = stage(seat).session.walk
        assert walk is not None
        while row(seat) > 0:
            await seat.press("j")
        number = -row(seat)
        assert number in rows
        assert "accepted" not in card(seat)
        assert "hidden on this card" in card(seat)
        assert memory(queue, number).question in " ".join(card(seat).split())
        before = line(seat, "header").split("·")[3]
        await seat.press("3")
        assert row(seat) > 0
        assert line(seat, "header").split("·")[3] == before
        assert memory(queue, number).state == "accepted"
        pairs = consistency(queue.database, ME.name)
        assert [(each.first, each.second) for each in pairs.contradictions] == [("accept", "reject")]
        await seat.press("u")
        assert row(seat) == -number
        assert "rejected" not in card(seat)
        assert consistency(queue.database, ME.name).agreement.count == 0
        await seat.press("U")
        assert consistency(queue.database, ME.name).agreement.count == 1

    sit(queue.root, "review", work)


def test_leaving_at_a_second_look_and_coming_back_shows_no_earlier_verdict(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    decide_each(queue.database, range(1, 201), lambda number: True, ME)

    async def first(seat: Any) -> None:
        while row(seat) > 0:
            await seat.press("j")
        await seat.press("f2", "f4")
        assert "accepted" not in card(seat)
        while row(seat) > 0:
            await seat.press("j")
        seat.bench.remember_place()

    async def second(seat: Any) -> None:
        assert "accepted" not in card(seat)

    sit(queue.root, "review", first)
    sit(queue.root, "review", second)


def test_figures_are_shown_and_a_contradiction_is_opened_and_settled(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    decide_each(queue.database, range(1, 201), follows_the_judge(queue.database, COUNT, 60), ME)
    number = due(queue.database, ME.name)[0]
    first = card_states(queue.database)["memory", uid(number)][0]
    second = "reject" if first == "accepted" else "accept"
    decide(queue.database, ME, [Decision(uid(number), second, second=True)])

    async def work(seat: Any) -> None:
        await seat.press("i")
        assert "second looks" in seat.shown
        assert "0% (0–79%) of 1" in seat.shown
        assert "blind sample    none drawn" in seat.shown
        await seat.press("escape", "c")
        assert f"{first}, then {second}ed" in seat.shown
        await seat.press("1")
        assert row(seat) == number
        assert "decide anew" in seat.said
        await seat.press("a" if second == "accept" else "x")
        assert memory(queue, number).state == f"{second}ed"
        await seat.press("c")
        assert "(settled)" in seat.shown

    sit(queue.root, "review", work)


def test_without_contradictions_it_says_so(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("c")
        assert "no second verdict of yours" in seat.said

    sit(queue.root, "review", work)
