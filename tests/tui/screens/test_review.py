"""Reviewing with the keyboard: what each key shows, and what the store holds after it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content

from core.review.decisions import Actor, Decision, decide
from core.runs.journal import list_runs
from core.store.decisions import DecisionRow, list_decisions
from core.store.pairs import list_pairs, put_pair
from core.store.proposals import put_proposal
from core.workspace import Workspace
from tests.review_rows import PER_EXCHANGE, fill
from tests.tui.screens.reviewing import card, memory, stage
from tui.keys import REASONS
from tui.widgets.card_view import CardView
from tui.widgets.editing import EditInPlace
from tui.widgets.text import HIDDEN_BADGE, Words

AT = "2024-05-02T10:00:00+00:00"


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    """A workspace with 40 memories that wait."""
    fill(workspace.database, 40)
    return workspace


def header(seat: Any) -> str:
    return stage(seat).query_one("#header", Words).shown


def at(seat: Any) -> int:
    """The row id of the card one stands at."""
    found = stage(seat).session.card
    assert found is not None
    return found.id


def log(workspace: Workspace) -> list[tuple[str, str, str]]:
    return [(row.card_uid, row.verb, row.reason) for row in list_decisions(workspace.database)]


def last(workspace: Workspace) -> DecisionRow:
    return list_decisions(workspace.database)[-1]


def test_a_card_that_was_laid_out_ahead_is_painted_as_it_would_be_anew(
    queue: Workspace, sit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(seat: Any) -> None:
        screen = stage(seat)
        view = screen.query_one(CardView)
        prepared: list[Content] = []
        paint_ahead = view.paint_ahead

        def watched(lines: Sequence[Content]) -> None:
            prepared.extend(lines)
            paint_ahead(lines)

        monkeypatch.setattr(view, "paint_ahead", watched)
        ahead = 0
        for key in "axaojaxkax":
            await seat.press(key)
            painted = seat.painted
            ahead += all(any(line is each for each in prepared) for line in view._lines)
            view._painted.clear()
            screen._laid = None
            screen.draw()
            view.refresh()
            await seat.settle()
            assert seat.painted == painted
        assert ahead >= 4

    sit(queue.root, "review", work)


def test_a_card_shows_question_memory_passage_quote_judges_and_hides_the_answer(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        row = memory(queue, at(seat))
        shown = " ".join(card(seat).split())
        assert row.question in shown
        assert row.text in shown
        assert "▐" in shown
        assert "▌" in shown
        assert row.passage_title in shown
        assert f"question {row.question_bits:+.2f} bits" in shown
        assert row.answer[:20] not in shown
        await seat.press("o")
        assert row.answer[:20] in " ".join(card(seat).split())
        await seat.press("o")
        assert row.answer[:20] not in " ".join(card(seat).split())

    sit(queue.root, "review", work)


def test_one_key_decides_and_the_next_card_comes(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        first = memory(queue, at(seat))
        await seat.press("a")
        second = memory(queue, at(seat))
        await seat.press("x")
        third = memory(queue, at(seat))
        await seat.press("space")
        fourth = memory(queue, at(seat))
        await seat.press("f")
        assert log(queue) == [
            (first.uid, "accept", ""), (second.uid, "reject", ""), (third.uid, "defer", ""), (fourth.uid, "flag", ""),
        ]  # fmt: skip
        assert len({first.uid, second.uid, third.uid, fourth.uid}) == 4
        assert "2/40 · 50% kept" in header(seat)
        assert "✓" in stage(seat).query_one("#recent", Words).shown
        assert last(queue).actor_kind == "person"

    sit(queue.root, "review", work)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_digit_rejects_with_its_reason(queue: Workspace, sit: Callable[..., None], number: int) -> None:
    async def work(seat: Any) -> None:
        uid = memory(queue, at(seat)).uid
        await seat.press(str(number))
        assert log(queue) == [(uid, "reject", REASONS[number - 1])]

    sit(queue.root, "review", work)


def test_undo_and_redo_go_back_and_forth_and_stand_at_the_card(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        first = at(seat)
        await seat.press("a", "x", "3")
        await seat.press("u", "u")
        assert memory(queue, first).state == "accepted"
        await seat.press("u")
        assert at(seat) == first
        assert memory(queue, first).state == "pending"
        await seat.press("u")
        assert "nothing to undo" in seat.said
        await seat.press("U", "U", "U")
        assert [memory(queue, number).state for number in range(first, first + 3)] == [
            "accepted", "rejected", "rejected",
        ]  # fmt: skip
        await seat.press("U")
        assert "nothing to redo" in seat.said

    sit(queue.root, "review", work)


def test_undo_goes_on_after_a_restart_and_one_returns_to_the_card_and_filter(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    seen: list[int] = []

    async def first(seat: Any) -> None:
        await seat.press("a", "a", "j", "j")
        await seat.press("slash", *"salt", "enter")
        await seat.press("j")
        seen.append(at(seat))
        await seat.press("o")
        seat.bench.remember_place()

    async def second(seat: Any) -> None:
        assert at(seat) == seen[0]
        assert "salt" in header(seat)
        assert memory(queue, seen[0]).answer[:20] in " ".join(card(seat).split())
        await seat.press("u")
        assert memory(queue, 2).state == "pending"

    sit(queue.root, "review", first)
    sit(queue.root, "review", second)


def test_moving_through_cards_and_exchanges(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        first = at(seat)
        await seat.press("j")
        assert at(seat) == first + 1
        await seat.press("down", "k")
        assert at(seat) == first + 1
        await seat.press("up", "up")
        assert at(seat) == first
        await seat.press("right_square_bracket")
        assert at(seat) == first + PER_EXCHANGE
        await seat.press("j", "left_square_bracket")
        assert at(seat) == first
        await seat.press("end")
        assert at(seat) == 40
        await seat.press("right_square_bracket")
        assert "last exchange" in seat.said
        await seat.press("home")
        assert at(seat) == first
        await seat.press("a", "home", "n")
        assert at(seat) == first + 1
        await seat.press("j", "N")
        assert at(seat) == first + 1
        await seat.press("N")
        assert "nothing before this waits" in seat.said

    sit(queue.root, "review", work)


def test_a_filter_shows_what_matches_by_words_and_by_state(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("x")
        await seat.press("slash", *"state:rejected", "enter")
        assert stage(seat).session.walk is not None
        assert [memory(queue, number).state for number in stage(seat).session.walk.ids] == ["rejected"]  # type: ignore[union-attr]
        await seat.press("slash", *["ctrl+u"], *"state:odd", "enter")
        assert "state: takes" in seat.said
        await seat.press("slash", "ctrl+u", *"nowhere%", "enter")
        assert "Nothing in this queue matches" in card(seat)
        await seat.press("slash", "escape")
        assert "nowhere%" in header(seat)
        await seat.press("slash", "ctrl+u", "enter")
        assert "all · by exchange" in header(seat)

    sit(queue.root, "review", work)


def test_a_range_is_decided_and_undone_as_one(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        first = at(seat)
        await seat.press("v", "j", "j")
        assert "range of 3" in header(seat)
        await seat.press("escape")
        assert "range" not in header(seat)
        await seat.press("v", "k")
        await seat.press("x")
        assert [memory(queue, number).state for number in range(first, first + 4)] == [
            "pending", "rejected", "rejected", "pending",
        ]  # fmt: skip
        await seat.press("u")
        assert all(memory(queue, number).state == "pending" for number in range(first, first + 4))

    sit(queue.root, "review", work)


def test_a_large_batch_asks_for_its_size(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("v", "end", "a")
        assert "type 40 to do it" in seat.shown
        await seat.press("4", "enter")
        assert log(queue) == []
        assert "nothing was decided" in seat.said
        await seat.press("a", "4", "0", "enter")
        await seat.until(lambda: len(log(queue)) == 40)
        await seat.press("u")
        assert memory(queue, 1).state == "pending"

    sit(queue.root, "review", work)


def test_a_whole_exchange_or_all_of_a_filter(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("A")
        assert [memory(queue, number).state for number in range(1, 7)] == ["accepted"] * 5 + ["pending"]
        await seat.press("X")
        assert [memory(queue, number).state for number in range(6, 12)] == ["rejected"] * 5 + ["pending"]
        await seat.press("slash", *"tide", "enter")
        await seat.until(lambda: "tide ·" in header(seat))
        shown = list(stage(seat).session.walk.ids)  # type: ignore[union-attr]
        await seat.press("A", "2")
        if len(shown) > 20:
            await seat.press(*str(len(shown)), "enter")
        await seat.until(lambda: all(memory(queue, number).state == "accepted" for number in shown))

    sit(queue.root, "review", work)


def test_a_filter_without_a_waiting_card_asks_nothing(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "slash")
        await seat.press(*"state:accepted", "enter")
        await seat.until(lambda: "state:accepted" in header(seat))
        await seat.press("X")
        assert "nothing there waits" in seat.said
        assert seat.bench.screen is stage(seat)

    sit(queue.root, "review", work)


def test_an_edit_is_accepted_with_its_words_or_left(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        number = at(seat)
        await seat.press("e")
        assert stage(seat).query_one(EditInPlace).text == memory(queue, number).original
        await seat.press("escape")
        assert log(queue) == []
        await seat.press("e", "ctrl+a", "delete", *"I kept", "enter")
        await seat.until(lambda: len(log(queue)) == 1)
        assert last(queue).verb == "edit"
        assert memory(queue, number).state == "accepted"
        assert memory(queue, number).text == last(queue).text

    sit(queue.root, "review", work)


def test_keys_typed_ahead_of_an_edit_are_words_and_decide_nothing(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.pilot.press("e", *"xaxa", "escape")
        await seat.settle()
        assert log(queue) == []

    sit(queue.root, "review", work)


def test_the_persons_own_editor_edits(
    queue: Workspace, sit: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'From the editor.\\n' > \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(editor))

    async def work(seat: Any) -> None:
        number = at(seat)
        await seat.press("E")
        if "suspend" in seat.shown.lower():
            pytest.skip("the pilot has no terminal to give away; the session on a real one covers it")
        assert memory(queue, number).text == "From the editor."

    sit(queue.root, "review", work)


def test_repeat_does_the_last_decision_again(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("full_stop")
        assert "nothing was decided yet" in seat.said
        await seat.press("4", "full_stop")
        assert [row[1:] for row in log(queue)] == [("reject", REASONS[3])] * 2

    sit(queue.root, "review", work)


def test_copying_offers_the_memory_and_its_source(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("y")
        row = memory(queue, at(seat))
        assert row.text in seat.bench.clipboard
        assert row.passage_title in seat.bench.clipboard

    sit(queue.root, "review", work)


def test_without_auto_advance_one_stays(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        number = at(seat)
        await seat.press("t", "a")
        assert at(seat) == number
        assert "✓ accepted" in card(seat)
        await seat.press("t", "x")
        assert at(seat) != number

    sit(queue.root, "review", work)


def test_orders(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("s", "2")
        ids = stage(seat).session.walk.ids  # type: ignore[union-attr]
        bits = [memory(queue, number).question_bits or 0 for number in ids]
        assert bits == sorted(bits, reverse=True)
        await seat.press("s", "3")
        ids = stage(seat).session.walk.ids  # type: ignore[union-attr]
        assert [abs(memory(queue, n).question_bits or 0) for n in ids] == sorted(abs(bit) for bit in bits)
        await seat.press("s", "4")
        assert "by time" in header(seat)
        await seat.press("s", "1")
        assert stage(seat).session.walk.ids == list(range(1, 41))  # type: ignore[union-attr]

    sit(queue.root, "review", work)


def test_the_list_shows_states_and_opens_a_card(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "l")
        lines = [line for line in seat.painted if "pending" in line or "accepted" in line]
        assert "✓ accepted" in lines[0]
        assert len(lines) > 10
        await seat.press("j", "j", "enter")
        assert at(seat) == 4
        assert memory(queue, 4).question.split()[0] in card(seat)
        await seat.press("l", "escape")
        assert not stage(seat).has_class("-listing")

    sit(queue.root, "review", work)


def test_the_footer_tells_the_keys_that_decide_the_card_at_hand(queue: Workspace, sit: Callable[..., None]) -> None:
    with queue.database.write():
        put_pair(queue.database, "Q?", "", "left", "right", "generated", None, AT)

    async def work(seat: Any) -> None:
        of_pairs = ("0 both bad", "left the left one", "right the right one")
        await seat.until(lambda: "a accept" in seat.painted[-1])
        assert not any(each in seat.painted[-1] for each in of_pairs)
        await seat.press("m", "2")
        await seat.until(lambda: all(each in seat.painted[-1] for each in of_pairs))
        assert "accept" not in seat.painted[-1]
        assert "edit" not in seat.painted[-1]

    sit(queue.root, "review", work, size=(120, 24))


def test_pairs_are_chosen_with_one_key_each(workspace: Workspace, sit: Callable[..., None]) -> None:
    with workspace.database.write():
        for number in range(6):
            put_pair(workspace.database, f"Q{number}?", "", f"left {number}", f"right {number}", "generated", None, AT)

    async def work(seat: Any) -> None:
        await seat.press("m", "2")
        assert "left 0" in card(seat)
        assert "right 0" in card(seat)
        await seat.press("a")
        assert "choose" in seat.said
        await seat.press("left", "right", "1", "2", "0", "x")
        assert [(pair.state, pair.preferred) for pair in list_pairs(workspace.database)] == [
            ("accepted", "left"), ("accepted", "right"), ("accepted", "left"), ("accepted", "right"), ("rejected", ""),
            ("rejected", ""),
        ]  # fmt: skip
        await seat.press("u", "u")
        assert list_pairs(workspace.database)[4].state == "pending"

    sit(workspace.root, "review", work)


def test_proposals_show_before_and_after_and_take_edits(workspace: Workspace, sit: Callable[..., None]) -> None:
    with workspace.database.write():
        for number in range(2):
            put_proposal(workspace.database, "cleaning", "", f"title {number}", "teh tide", "the tide", "typo", 0.9, AT)

    async def work(seat: Any) -> None:
        await seat.press("m", "3")
        assert "teh tide" in card(seat)
        assert "the tide" in card(seat)
        await seat.press("a")
        await seat.press("e", "end", *"s", "enter")
        rows = list_decisions(workspace.database)
        assert [(row.card_kind, row.verb, row.text) for row in rows] == [
            ("proposal", "accept", ""), ("proposal", "edit", "the tides"),
        ]  # fmt: skip

    sit(workspace.root, "review", work)


def test_without_memories_one_key_starts_recall(workspace: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        assert "No memories yet" in card(seat)
        await seat.press("r")
        await seat.until(lambda: bool(list_runs(workspace.runs)))
        assert list_runs(workspace.runs)[0].kind == "recall"

    sit(workspace.root, "review", work)


def test_when_all_is_decided_it_says_what_comes_next(queue: Workspace, sit: Callable[..., None]) -> None:
    every = [Decision(f"m{number:06}", "accept") for number in range(1, 41)]
    decide(queue.database, Actor("rule", "test"), every)

    async def work(seat: Any) -> None:
        assert "Every memory is decided" in card(seat)
        await seat.press("a")
        assert len(log(queue)) == 40

    sit(queue.root, "review", work)


def test_a_card_that_the_terminal_has_not_confirmed_takes_no_decision_unless_trusted(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        questions: list[str] = []
        seat.bench.proof = type(seat.bench.proof)(questions.append, trusted=False)
        await seat.press("j")
        assert questions
        await seat.press("a")
        assert log(queue) == []
        assert "nothing was decided" in seat.said
        seat.bench.proof.answer()
        await seat.press("a")
        assert len(log(queue)) == 1
        await seat.press("x")
        assert len(log(queue)) == 1
        await seat.press("w", "x")
        assert len(log(queue)) == 2

    sit(queue.root, "review", work)


def test_hostile_words_in_a_card_are_marked_and_badged(queue: Workspace, sit: Callable[..., None]) -> None:
    evil = "I \x1b]52;c;ZXZpbA==\x07 said [/nope] \u202eevil\u200b [@click=app.quit]x[/]"
    with queue.database.write():
        queue.database.execute("UPDATE memory SET text = ? WHERE id = 1", (evil,))

    async def work(seat: Any) -> None:
        assert HIDDEN_BADGE in card(seat).replace("\n    ", "\N{NO-BREAK SPACE}")
        assert "[/nope]" in card(seat)
        assert not set("\x1b\x07\u202e\u200b") & set("".join(seat.painted))

    sit(queue.root, "review", work)


def test_a_card_longer_than_the_screen_scrolls(queue: Workspace, sit: Callable[..., None]) -> None:
    with queue.database.write():
        queue.database.execute("UPDATE memory SET text = ? WHERE id = 1", ("word " * 400 + "THE END",))

    async def work(seat: Any) -> None:
        assert "more lines" in "\n".join(seat.painted)
        for _ in range(8):
            await seat.press("pagedown")
        assert "THE END" in "\n".join(seat.painted)

    sit(queue.root, "review", work)
