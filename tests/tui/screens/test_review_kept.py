"""What a decision keeps: the side of a pair, the words of an edit, the cards that were put off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.store.decisions import list_decisions
from core.store.pairs import list_pairs, put_pair
from core.store.proposals import put_proposal
from core.store.review_queue import MemoryCard, load_cards
from core.workspace import Workspace
from tests.review_rows import fill
from tests.tui.screens.reviewing import row, stage
from tui.widgets.boxes import ChoiceBox
from tui.widgets.card_view import CardView

AT = "2024-05-02T10:00:00+00:00"


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    """A workspace with ten memories that wait."""
    fill(workspace.database, 10)
    return workspace


@pytest.fixture
def pairs(queue: Workspace) -> Workspace:
    """The same with 25 pairs."""
    with queue.database.write():
        for number in range(25):
            put_pair(queue.database, f"Q{number}?", "", f"left {number}", f"right {number}", "generated", None, AT)
    return queue


def stands(workspace: Workspace, number: int) -> tuple[str, str]:
    found = load_cards(workspace.database, "memory", [number])[number]
    assert isinstance(found, MemoryCard)
    return found.state, found.text


def preferred(workspace: Workspace) -> list[tuple[str, str]]:
    return [(pair.state, pair.preferred) for pair in list_pairs(workspace.database)]


def test_what_was_wrong_with_a_filter_is_not_said_of_the_next(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("slash", *"state:foo", "enter")
        assert "state: takes" in seat.said
        await seat.press("slash", "ctrl+u", *"state:all", "enter")
        await seat.until(lambda: stage(seat).session.filter_text == "state:all")
        await seat.settle()
        assert "state: takes" not in seat.said

    sit(queue.root, "review", work)


def test_the_chosen_side_is_repeated_on_the_next_pair(pairs: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("m", "2")
        await seat.press("1", "full_stop", "2", "full_stop")
        assert preferred(pairs)[:4] == [
            ("accepted", "left"), ("accepted", "left"), ("accepted", "right"), ("accepted", "right"),
        ]  # fmt: skip

    sit(pairs.root, "review", work)


def test_the_chosen_side_goes_to_every_pair_of_a_large_range(pairs: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("m", "2")
        await seat.press("v", "end", "2")
        assert "type 25 to do it" in seat.shown
        await seat.press("2", "5", "enter")
        await seat.until(lambda: bool(list_decisions(pairs.database)))
        assert preferred(pairs) == [("accepted", "right")] * 25

    sit(pairs.root, "review", work)


def test_what_was_decided_on_another_kind_of_card_is_not_repeated(pairs: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "m", "2")
        await seat.press("full_stop")
        assert "nothing was decided yet" in seat.said
        assert len(list_decisions(pairs.database)) == 1

    sit(pairs.root, "review", work)


@pytest.mark.parametrize(
    ("keys", "state"),
    [("a", "accepted"), ("f", "flagged"), ("space", "deferred"), ("x", "rejected"), ("full_stop", "accepted")],
)
def test_words_that_were_edited_stay_whatever_is_decided_then(
    queue: Workspace, sit: Callable[..., None], keys: str, state: str
) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "t")
        await seat.press("e", "ctrl+a", "delete", *"I kept", "enter")
        assert stands(queue, 2)[0] == "accepted"
        words = stands(queue, 2)[1]
        await seat.press(keys)
        assert stands(queue, 2) == (state, words)
        assert words in " ".join(stage(seat).query_one(CardView).shown.split())
        await seat.press("a")
        assert stands(queue, 2) == ("accepted", words)

    sit(queue.root, "review", work)


def test_a_range_keeps_the_words_of_each_card(queue: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("t")
        await seat.press("e", "ctrl+a", "delete", *"I kept", "enter")
        first, second = stands(queue, 1)[1], stands(queue, 2)[1]
        assert first != second
        await seat.press("v", "j", "a")
        assert [stands(queue, number) for number in (1, 2)] == [("accepted", first), ("accepted", second)]
        assert [row.text for row in list_decisions(queue.database)[1:]] == [first, ""]
        await seat.press("e", "end", *" too", "enter", "u", "u", "u")
        assert stands(queue, 1)[0] == "pending"
        assert stands(queue, 1)[1] != first

    sit(queue.root, "review", work)


def test_the_words_of_a_proposal_stay_too(workspace: Workspace, sit: Callable[..., None]) -> None:
    with workspace.database.write():
        put_proposal(workspace.database, "cleaning", "", "title", "teh tide", "the tide", "typo", 0.9, AT)

    async def work(seat: Any) -> None:
        await seat.press("m", "3")
        await seat.press("t", "e", "end", *"s", "enter")
        await seat.press("a")
        assert [(row.verb, row.text) for row in list_decisions(workspace.database)] == [
            ("edit", "the tides"), ("accept", "the tides"),
        ]  # fmt: skip

    sit(workspace.root, "review", work)


def test_cards_that_were_put_off_are_told_at_the_end_and_can_be_gone_to(
    queue: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.press("a", "space", "a", "f", *"aaaaaa")
        assert "2 put off still wait" in seat.said
        await seat.press("N")
        assert row(seat) == 4
        await seat.press("N")
        assert row(seat) == 2
        await seat.press("N")
        assert "nothing before this waits" in seat.said
        await seat.press("n")
        assert row(seat) == 4
        await seat.press("a")
        assert "1 put off still waits" in seat.said
        await seat.press("N", "x")
        await seat.until(lambda: "nothing is left" in seat.said)

    sit(queue.root, "review", work)


@pytest.mark.parametrize(
    ("answer", "opened", "kept"),
    [("1", "newer", "newer"), ("2", "left", "left"), ("escape", "", "newer")],
)
def test_words_left_in_an_editor_replace_newer_ones_of_the_card_only_when_chosen(
    queue: Workspace,
    sit: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    opened: str,
    kept: str,
) -> None:
    script, seen = tmp_path / "editor", tmp_path / "seen"
    script.write_text('#!/bin/sh\necho Left in the editor > "$1"\nexit 1\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))

    async def work(seat: Any) -> None:
        await seat.press("t")
        await seat.press("E")
        assert "ended with 1" in seat.shown
        await seat.press("escape")
        await seat.press("e", "end", *" too", "enter")
        words = {"left": "Left in the editor", "newer": stands(queue, 1)[1], "": ""}
        assert " too" in words["newer"]
        script.write_text(f'#!/bin/sh\ncp "$1" {seen}\n')
        await seat.press("E")
        assert isinstance(seat.bench.screen, ChoiceBox)
        await seat.press(answer)
        await seat.settle()
        assert (seen.read_text().strip() if seen.exists() else "") == words[opened]
        assert stands(queue, 1) == ("accepted", words[kept])

    sit(queue.root, "review", work)


def test_words_left_in_an_editor_are_gone_on_with_while_the_card_is_as_it_was(
    queue: Workspace, sit: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\necho Left in the editor > "$1"\nexit 1\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))

    async def work(seat: Any) -> None:
        await seat.press("t")
        await seat.press("E")
        await seat.press("escape")
        script.write_text('#!/bin/sh\necho and more >> "$1"\n')
        await seat.press("E")
        await seat.settle()
        assert " ".join(stands(queue, 1)[1].split()) == "Left in the editor and more"

    sit(queue.root, "review", work)
    assert not [*queue.root.glob("*review-edit*")]
