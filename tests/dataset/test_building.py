"""A dataset is of one moment: what others do while it is built is newer than it."""

from __future__ import annotations

import pytest

from core.corpus.holdout import hold_out
from core.dataset.build import build
from core.dataset.composition import dataset_sight
from core.errors import DatasetError
from core.review.decisions import Actor, Decision, Verb, decide
from core.store.datasets import list_datasets
from core.workspace import Workspace
from tests.review_rows import fill

NELL = Actor("person", "Nell")


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """Six conversations, every memory accepted."""
    fill(workspace.database, 500)
    _decide_all(workspace, "accept")
    return workspace


def _decide_all(workspace: Workspace, verb: Verb) -> int:
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, NELL, [Decision(uid, verb) for uid in uids])
    return len(uids)


def test_a_decision_made_while_a_dataset_is_built_is_newer_than_it(reviewed: Workspace) -> None:
    decided: list[int] = []

    def watch(_done: int, _total: int) -> None:
        if not decided:
            decided.append(_decide_all(Workspace.open(reviewed.root), "reject"))

    assert build(reviewed, watch=watch).recall["kept"] > 0
    sight = dataset_sight(reviewed)
    assert sight is not None
    assert sight.composition.newer_decisions == decided[0] > 0


def test_a_dataset_is_not_frozen_when_what_is_held_out_changes_while_it_is_built(reviewed: Workspace) -> None:
    def watch(done: int, _total: int) -> None:
        if not done:
            hold_out(Workspace.open(reviewed.root), ["c1"])

    with pytest.raises(DatasetError, match="what is held out has changed meanwhile"):
        build(reviewed, watch=watch)
    assert list_datasets(reviewed.database) == []
    assert build(reviewed).examples > 0
