"""Pairs out of what is trained on: the real answer and the twin's, blind for review, or decided by rule."""

from __future__ import annotations

import pytest

from core.adapters.choice import choose_adapter
from core.models.packaged import SMOLLM2
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.store.pairs import PairRow, list_pairs
from core.training.preferences.gathering import gathered
from core.training.preferences.launch import MAKE_ENTRY, MAKE_KIND
from core.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture
def bare(tuned: Workspace) -> Workspace:
    """The same with the base alone as its twin, which never says what was really said."""
    choose_adapter(tuned, None)
    return tuned


def _made(workspace: Workspace) -> list[PairRow]:
    return [pair for pair in list_pairs(workspace.database) if pair.origin == "generated"]


def _make(workspace: Workspace, limit: int, accept: bool) -> dict[str, object]:
    return run_to_end(workspace, MAKE_KIND, MAKE_ENTRY, {"limit": limit, "accept": accept})


def test_what_was_really_said_stands_beside_the_twin_s_answer_and_waits_for_a_person(bare: Workspace) -> None:
    done = _make(bare, 2, accept=False)
    made = _made(bare)
    assert done == {"run": "pairs-1", "pairs": 2, "same": 0, "twin": SMOLLM2}
    assert len(made) == 2
    for pair in made:
        year = pair.question.removeprefix("What came in ").rstrip("?")
        real = f"{year}: rain, and a bill."
        assert year not in ("2014", "2015"), "a held-out question was asked"
        assert [pair.left, pair.right].count(real) == 1
        assert pair.question in pair.prompt
        assert real not in pair.prompt
        assert pair.state == "pending"
    assert not [each for each in gathered(bare, "dpo").preferences if each.origin == "generated"]


def test_what_is_there_is_not_made_again_and_a_larger_limit_goes_on(bare: Workspace) -> None:
    _make(bare, 1, accept=False)
    first = _made(bare)
    _make(bare, 9, accept=False)
    everything = _made(bare)
    assert first[0] in everything
    assert len({pair.prompt for pair in everything}) == len(everything) == 3
    assert _make(bare, 9, accept=False)["pairs"] == 0


def test_what_is_not_cleared_any_more_is_not_made_and_what_was_made_of_it_is_not_learned_from(bare: Workspace) -> None:
    _make(bare, 9, accept=True)
    asked = {each.question for each in gathered(bare, "dpo").preferences if each.origin == "generated"}
    assert "What came in 2010?" in asked
    with bare.database.write():
        bare.database.execute("UPDATE source SET use = 'recall' WHERE location LIKE '%/2010.json'")
    found = gathered(bare, "dpo")
    left = {each.question for each in found.preferences if each.origin == "generated"}
    assert (asked - left, found.not_cleared) == ({"What came in 2010?"}, 1)
    with bare.database.write():
        bare.database.execute("DELETE FROM pair WHERE origin = 'generated'")
    assert (_make(bare, 9, accept=True)["pairs"], _make(bare, 9, accept=True)["not_cleared"]) == (2, 1)


def test_making_again_tells_what_older_pairs_rest_on(bare: Workspace) -> None:
    _make(bare, 9, accept=True)
    with bare.database.write():
        bare.database.execute("UPDATE pair SET owners = NULL WHERE origin = 'generated'")
    assert gathered(bare, "dpo").not_cleared == 3
    assert _make(bare, 9, accept=True)["pairs"] == 0
    assert gathered(bare, "dpo").not_cleared == 0


def test_decided_by_rule_the_real_answer_is_preferred_on_either_side_and_a_person_can_differ(bare: Workspace) -> None:
    _make(bare, 9, accept=True)
    learned = [each for each in gathered(bare, "dpo").preferences if each.origin == "generated"]
    assert len(learned) == 3
    assert all(each.chosen.endswith("rain, and a bill.") for each in learned)
    pair = _made(bare)[0]
    other = "right" if pair.preferred == "left" else "left"
    decide(bare.database, Actor("person", "Nell"), [Decision(pair.uid, "accept", text=other, card_kind="pair")])
    again = {each.reference[0]: each for each in gathered(bare, "dpo").preferences}
    assert again[pair.uid].rejected.endswith("rain, and a bill.")
