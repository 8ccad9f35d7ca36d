"""A dataset is stale when decisions since would change what is in it, and not by any other decision."""

from __future__ import annotations

import pytest

from core.dataset.composition import dataset_sight
from core.overview import overview
from core.review.decisions import Actor, Decision, decide, redo, undo
from core.store.datasets import put_dataset
from core.store.decisions import last_decision_id, memories_taken_otherwise
from core.workspace import Workspace
from tests.review_rows import fill
from tui.screens.train.plan import Choices, prepare

NELL = Actor("person", "Nell")
CARDS = [f"m{number:06}" for number in range(1, 6)]


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """Ten memories, the first one accepted."""
    fill(workspace.database, 10)
    decide(workspace.database, NELL, [Decision(CARDS[0], "accept")])
    return workspace


def freeze(workspace: Workspace, memories: bool = True) -> None:
    settings = {"base": "b", "memories": memories, "failed_recall": 0.0, "heldout": {}}
    with workspace.database.write():
        put_dataset(workspace.database, "hash", settings, last_decision_id(workspace.database), "2026-01-01", [])


def newer(workspace: Workspace) -> int:
    """As the Dataset screen tells it; the overview and the Train screen tell the same."""
    sight = dataset_sight(workspace)
    assert sight is not None
    count = sight.composition.newer_decisions
    [row] = [each for each in overview(workspace).rows if each.stage == "dataset"]
    words = f"{count} decision{'' if count == 1 else 's'}"
    assert (row.state == "stale", f"{words} newer than it" in row.text) == (count > 0, count > 0)
    [(_, told)] = prepare(workspace, Choices()).datasets
    assert ("newer" in told, f"{words} {'is' if count == 1 else 'are'} newer" in told) == (count > 0, count > 0)
    return count


def test_only_what_changes_its_memories_makes_it_stale(reviewed: Workspace) -> None:
    database = reviewed.database
    freeze(reviewed)
    assert newer(reviewed) == 0
    decide(database, NELL, [Decision("p1", "accept", text="left", card_kind="pair")])
    decide(database, NELL, [Decision("p2", "reject", card_kind="proposal")])
    decide(database, NELL, [Decision(CARDS[1], "reject"), Decision(CARDS[2], "defer")])
    decide(database, NELL, [Decision(CARDS[0], "accept")])
    assert newer(reviewed) == 0
    decide(database, NELL, [Decision(CARDS[0], "edit", text="In other words.")])
    assert newer(reviewed) == 1
    decide(database, NELL, [Decision(CARDS[1], "accept"), Decision(CARDS[2], "accept")])
    assert newer(reviewed) == 3
    freeze(reviewed)
    assert newer(reviewed) == 0


def test_what_is_taken_back_makes_it_stale_no_longer(reviewed: Workspace) -> None:
    database = reviewed.database
    freeze(reviewed)
    decide(database, NELL, [Decision(CARDS[3], "accept")])
    undo(database, NELL)
    assert newer(reviewed) == 0
    undo(database, NELL)
    assert newer(reviewed) == 1, "the memory that is in it is accepted no longer"
    freeze(reviewed)
    assert newer(reviewed) == 0
    redo(database, NELL)
    assert newer(reviewed) == 1


def test_one_without_memories_is_made_stale_by_no_decision(reviewed: Workspace) -> None:
    freeze(reviewed, memories=False)
    decide(reviewed.database, NELL, [Decision(CARDS[1], "accept")])
    assert newer(reviewed) == 0


def test_a_large_batch_taken_back_is_counted_by_looking_it_up(workspace: Workspace) -> None:
    database = workspace.database
    fill(database, 400)
    cards = [f"m{number:06}" for number in range(1, 401)]
    decide(database, NELL, [Decision(card, "accept") for card in cards])
    frozen = last_decision_id(database)
    undo(database, NELL)
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    database.connection.set_progress_handler(step, 1)
    assert memories_taken_otherwise(database, frozen) == len(cards)
    database.connection.set_progress_handler(None)
    assert steps < 300 * len(cards)
