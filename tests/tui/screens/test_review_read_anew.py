"""A queue that changes while somebody works: what is decided is what was asked about and seen, and nothing else."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import pytest

from core.review.decisions import Actor
from core.review.figures import figures
from core.review.second_looks import due
from core.review.walk import place_of
from core.store.decisions import list_decisions
from core.workspace import Workspace
from tests.review.verdicts import decide_each, uid
from tests.review_rows import PER_EXCHANGE, fill
from tests.tui.screens.reviewing import ids, memory, stage
from tui.widgets.editing import EditInPlace

ME = Actor("person", getpass.getuser())
COUNT = 300


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    """A workspace with memories that wait."""
    fill(workspace.database, COUNT)
    return workspace


def decided(workspace: Workspace) -> list[tuple[str, str]]:
    return [(row.card_uid, row.verb) for row in list_decisions(workspace.database)]


async def five_come_before(workspace: Workspace, seat: Any) -> None:
    """A run has written more memories for the first exchange, and has ended."""
    before = len(ids(seat))
    with workspace.database.write():
        workspace.database.execute_many(
            "INSERT INTO memory (uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start, quote_stop)"
            " VALUES (?, 1, 1, ?, 0.5, 'extractive', 'Tide and salt.', 'q', 200, 260)",
            ((f"new{rank}", rank) for rank in range(PER_EXCHANGE, PER_EXCHANGE + 5)),
        )
    seat.bench.refresh_stage()
    await seat.until(lambda: len(ids(seat)) == before + 5)
    await seat.settle()


def gone(workspace: Workspace, number: int) -> None:
    with workspace.database.write():
        workspace.database.execute("DELETE FROM memory WHERE id = ?", (number,))


def acting_at(
    seat: Any, monkeypatch: pytest.MonkeyPatch, wanted: Callable[..., Any], act: Callable[[], Any]
) -> list[str]:
    """Let a key be pressed once, just as the screen has read something. Returns a list that says that it was."""
    read, acted = seat.bench.read, []

    async def watched(function: Callable[..., Any], *arguments: Any) -> Any:
        found = await read(function, *arguments)
        if function is wanted and not acted:
            acted.append(wanted.__name__)
            await act()
        return found

    monkeypatch.setattr(seat.bench, "read", watched)
    return acted


def test_a_batch_that_waits_for_its_size_stays_about_the_cards_it_was_asked_about(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.press(*"jjjjj", "v", *"j" * 24, "x")
        assert "type 25 to do it" in seat.shown
        await five_come_before(queue, seat)
        await seat.press("2", "5", "enter")
        await seat.until(lambda: bool(decided(queue)))
        assert decided(queue) == [(uid(number), "reject") for number in range(6, 31)]
        assert ids(seat)[stage(seat).session.place] == 31

    sit(queue.root, "review", work)


def test_the_choice_of_an_exchange_stays_about_its_cards(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("slash", *"state:pending", "enter")
        await seat.press(*"jjjjj", "A")
        assert "this exchange: 5" in seat.shown
        await five_come_before(queue, seat)
        await seat.press("1")
        await seat.until(lambda: bool(decided(queue)))
        assert decided(queue) == [(uid(number), "accept") for number in range(6, 11)]

    sit(queue.root, "review", work)


def test_an_edit_stays_with_its_card_and_is_dropped_when_that_is_gone(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.press(*"jjjjj", "e")
        await five_come_before(queue, seat)
        await seat.press("end", *" More", "enter")
        await seat.until(lambda: bool(decided(queue)))
        assert decided(queue) == [(uid(6), "edit")]
        await seat.press("e")
        assert stage(seat).query_one(EditInPlace).text == memory(queue, 7).text
        gone(queue, 7)
        seat.bench.refresh_stage()
        await seat.until(lambda: 7 not in ids(seat))
        await seat.settle()
        await seat.press("end", *" More", "enter")
        await seat.until(lambda: "is gone" in seat.said)
        assert len(decided(queue)) == 1

    sit(queue.root, "review", work)


def test_a_key_while_the_queue_is_read_meets_the_card_that_is_seen(
    queue: Workspace, sit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(seat: Any) -> None:
        await seat.press(*"jjjjj")
        acted = acting_at(seat, monkeypatch, place_of, stage(seat).action_accept)
        await five_come_before(queue, seat)
        assert acted
        assert decided(queue) == [(uid(6), "accept")]
        walk = stage(seat).session.walk
        assert walk is not None
        assert (walk.states, walk.counts["accepted"], walk.counts["pending"]) == ({6: "accepted"}, 1, COUNT + 4)

    sit(queue.root, "review", work)


def test_a_card_that_took_the_place_of_another_unseen_takes_no_decision(
    queue: Workspace, sit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(seat: Any) -> None:
        await seat.press(*"jjjjj")
        said: list[str] = []

        async def accept() -> None:
            await stage(seat).action_accept()
            said.append(seat.said)

        acting_at(seat, monkeypatch, figures, accept)
        gone(queue, 6)
        seat.bench.refresh_stage()
        await seat.until(lambda: bool(said))
        assert "nothing was decided: another card stands here now" in said[0]
        assert decided(queue) == []
        await seat.settle()
        await seat.press("a")
        assert decided(queue) == [(uid(7), "accept")]

    sit(queue.root, "review", work)


def test_what_comes_anew_is_never_put_into_an_open_range(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        session = stage(seat).session
        await seat.press("end", "v", "home")
        decide_each(queue.database, range(1, 201), lambda number: True, ME)
        assert not await session.renew()
        assert all(row > 0 for row in ids(seat))
        await seat.press("escape")
        assert await session.renew()
        assert {-row for row in ids(seat) if row < 0} <= set(due(queue.database, ME.name))
        assert any(row < 0 for row in ids(seat))

    sit(queue.root, "review", work)


def test_no_second_look_comes_into_a_filtered_queue(queue: Workspace, sit: Callable[..., None]) -> None:
    with queue.database.write():
        queue.database.execute("UPDATE memory SET text = text || ' A lighthouse.' WHERE id % 2")

    async def work(seat: Any) -> None:
        session = stage(seat).session
        await seat.press("slash", *"lighthouse", "enter")
        await seat.until(lambda: session.filter_text == "lighthouse" and len(ids(seat)) < COUNT)
        before = list(ids(seat))
        assert len(before) > 100
        decide_each(queue.database, range(1, 201), lambda number: True, ME)
        assert due(queue.database, ME.name)
        await session.renew()
        assert ids(seat) == before

    sit(queue.root, "review", work)


def test_a_row_of_the_list_takes_no_decision_before_the_terminal_has_shown_it(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        questions: list[str] = []
        await seat.press("l")
        seat.bench.proof = type(seat.bench.proof)(questions.append, trusted=False)
        stage(seat).draw()
        await seat.settle()
        while seat.bench.proof.confirmed < seat.bench.proof.asked:
            seat.bench.proof.answer()
        await seat.press("j", "j")
        await seat.press("x")
        assert decided(queue) == []
        assert "not on the terminal yet" in seat.said
        while seat.bench.proof.confirmed < seat.bench.proof.asked:
            seat.bench.proof.answer()
        await seat.press("x")
        assert decided(queue) == [(uid(3), "reject")]

    sit(queue.root, "review", work)
