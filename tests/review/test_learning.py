"""What is learned from a person's verdicts: from theirs alone, the same from the same, and of use on the next card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.review.decisions import Actor, Decision, decide, undo
from core.review.figures import figures
from core.review.learning import Learner
from core.review.renewing import Renewer
from core.review.verdicts import FIRST
from core.review.walk import Filter, open_walk
from core.store.learned import find_learned, foretold, labels
from core.workspace import Workspace
from tests.review.verdicts import NELL, decide_each, follows_the_judge, uid
from tests.review_rows import fill

COUNT = 400


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, COUNT)
    return workspace


def every_third(number: int) -> bool:
    return number % 3 == 0


def test_a_model_comes_with_the_thirtieth_verdict(queue: Workspace) -> None:
    decide_each(queue.database, range(1, FIRST), every_third)
    assert Learner().learn(queue, "Nell") is None
    decide_each(queue.database, [FIRST], every_third)
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    assert learned.decisions == FIRST
    assert sorted(learned.memories) == list(range(1, COUNT + 1))
    assert all(0 < chance < 1 for chance in learned.chances)


def test_thirty_of_one_kind_teach_nothing(queue: Workspace) -> None:
    decide_each(queue.database, range(1, 61), lambda number: number > 2)
    assert Learner().learn(queue, "Nell") is None


def test_it_is_learned_again_after_ten_more_and_not_before(queue: Workspace) -> None:
    learner = Learner()
    decide_each(queue.database, range(1, 41), every_third)
    assert learner.learn(queue, "Nell") is not None
    decide_each(queue.database, range(41, 50), every_third)
    assert learner.learn(queue, "Nell") is None
    decide_each(queue.database, [50], every_third)
    again = learner.learn(queue, "Nell")
    assert again is not None
    assert again.decisions == 50


def test_chances_foretell_verdicts_that_were_never_seen_and_are_calibrated(workspace: Workspace) -> None:
    fill(workspace.database, 2000)
    accepts = follows_the_judge(workspace.database, 2000)
    decide_each(workspace.database, range(1, 301), accepts)
    learned = Learner().learn(workspace, "Nell")
    assert learned is not None
    verdicts = np.array([accepts(number) for number in range(301, 2001)])
    chances = np.array([learned.chance_of[number] for number in range(301, 2001)])
    brier = np.mean((chances - verdicts) ** 2)
    assert brier < 0.8 * np.mean((verdicts.mean() - verdicts) ** 2)
    assert learned.report["brier"] == pytest.approx(brier, abs=0.03)
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (chances >= low) & (chances < low + 0.25)
        assert chances[inside].mean() == pytest.approx(verdicts[inside].mean(), abs=0.1)


def test_the_same_verdicts_give_the_same_model_in_whatever_order_they_came(queue: Workspace, tmp_path: Path) -> None:
    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    fill(other.database, COUNT)
    decide_each(queue.database, range(1, 81), every_third)
    decide_each(other.database, range(80, 0, -1), every_third)
    first, second = Learner().learn(queue, "Nell"), Learner().learn(other, "Nell")
    again = Learner().learn(queue, "Nell", always=True)
    assert first is not None
    assert second is not None
    assert again is not None
    assert first.memories == second.memories == again.memories
    assert first.chances == second.chances == again.chances
    assert first.report == second.report == again.report


def test_it_never_learns_from_a_rule_an_import_somebody_else_or_a_batch_that_nobody_looked_at(queue: Workspace) -> None:
    db = queue.database
    decide_each(db, range(1, 11), every_third)
    for first, actor in ((11, Actor("rule", "Nell")), (61, Actor("import", "Nell")), (111, Actor("person", "Ines"))):
        decide_each(db, range(first, first + 50), every_third, actor)
    decide(db, NELL, [Decision(uid(number), "accept") for number in range(161, 200)])
    decide(db, NELL, [Decision(uid(number), "defer") for number in range(200, 215)])
    assert [label.memory_id for label in labels(db, "Nell")] == list(range(1, 11))
    assert Learner().learn(queue, "Nell") is None
    decide(db, Actor("rule", "later"), [Decision(uid(3), "reject")])
    assert 3 not in [label.memory_id for label in labels(db, "Nell")]


def test_a_batch_small_enough_to_be_looked_at_is_learned_from(queue: Workspace) -> None:
    decide(queue.database, NELL, [Decision(uid(number), "accept") for number in range(1, 21)])
    decide(queue.database, NELL, [Decision(uid(number), "reject") for number in range(21, 41)])
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    assert learned.decisions == 40


def test_each_person_has_a_model_of_their_own(queue: Workspace) -> None:
    ines = Actor("person", "Ines")
    accepts = follows_the_judge(queue.database, COUNT, 60)
    decide_each(queue.database, range(1, 101), accepts)
    decide_each(queue.database, range(101, 201), lambda number: not accepts(number), ines)
    for name in ("Nell", "Ines"):
        Learner().learn(queue, name)
    nell, other = find_learned(queue.database, "Nell"), find_learned(queue.database, "Ines")
    assert nell is not None
    assert other is not None
    assert nell.report["weights"]["question"] > 0 > other.report["weights"]["question"]


def test_what_a_passage_is_about_is_learned_from_its_stored_vector(queue: Workspace) -> None:
    """Nothing but a direction of the vectors says which memories this person accepts."""
    chance = np.random.default_rng(2)
    vectors = chance.normal(size=(5000, 24)).astype(np.float32)
    vectors[:, 0] *= 3
    with queue.database.write():
        queue.database.execute_many(
            "INSERT INTO vector (chunk_id, model, revision, dimension, blob)"
            " VALUES (?, 'all-MiniLM-L6-v2', 'r', 24, ?)",
            ((number, vectors[number - 1].tobytes()) for number in range(1, 5001)),
        )

    def accepts(number: int) -> bool:
        return bool(vectors[number % 5000, 0] > 0)

    decide_each(queue.database, range(1, 121), accepts)
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    agreeing = sum((learned.chance_of[number] >= 0.5) == accepts(number) for number in range(121, COUNT + 1))
    assert agreeing > 0.85 * (COUNT - 120)


def test_when_verdicts_are_taken_back_the_model_goes(queue: Workspace) -> None:
    decide_each(queue.database, range(1, 41), every_third)
    learner = Learner()
    assert learner.learn(queue, "Nell") is not None
    for _ in range(15):
        undo(queue.database, NELL)
    assert learner.learn(queue, "Nell") is None
    assert find_learned(queue.database, "Nell") is None


def test_the_most_uncertain_come_first_and_what_is_fresh_before_them(queue: Workspace) -> None:
    decide_each(queue.database, range(1, 121), follows_the_judge(queue.database, COUNT))
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    everything = Filter.parse("state:all")
    walk = open_walk(queue, "memory", "uncertainty", everything, person="Nell")
    distances = [abs(learned.chance_of[row] - 0.5) for row in walk.ids]
    assert len(distances) == COUNT
    assert distances == sorted(distances)
    stranger = open_walk(queue, "memory", "uncertainty", everything, person="Ines")
    assert stranger.ids != walk.ids
    with queue.database.write():
        queue.database.execute("DELETE FROM memory WHERE id = 7")
        fresh = queue.database.insert(
            "INSERT INTO memory (uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start, quote_stop)"
            " VALUES ('fresh', 1, 1, 0, 0.5, 'extractive', 'I kept it.', 'q', 0, 1)"
        )
    again = open_walk(queue, "memory", "uncertainty", everything, person="Nell")
    assert again.ids == [fresh, *(row for row in walk.ids if row != 7)]
    assert len(again.groups) == len(again.ids)


def test_what_is_ahead_is_ordered_anew_and_what_is_in_sight_stays(queue: Workspace) -> None:
    walk = open_walk(queue, "memory", "uncertainty", Filter(), person="Nell")
    before = list(walk.ids)
    decide_each(queue.database, before[:40], every_third)
    for row in before[:40]:
        walk.set_state(row, "accepted" if every_third(row) else "rejected")
    tail = Renewer().renew(queue, "Nell", "uncertainty", walk, 40)
    learned = find_learned(queue.database, "Nell")
    assert tail is not None
    assert learned is not None
    assert 45 < tail.start < 60
    fresh = [row for row in tail.ids if row > 0]
    assert sorted(fresh) == sorted(before[tail.start :])
    distances = [abs(learned.chance_of[row] - 0.5) for row in fresh]
    assert distances == sorted(distances)


def test_what_was_foretold_is_kept_with_the_verdict_and_never_of_a_card_it_was_learned_from(queue: Workspace) -> None:
    db = queue.database
    accepts = follows_the_judge(db, COUNT)
    decide_each(db, range(1, 41), accepts)
    assert all(row.chance is None and row.bits is not None for row in foretold(db, "Nell", 100))
    assert figures(queue, "Nell").by == "judge"
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    decide_each(db, range(41, 61), accepts)
    rows = foretold(db, "Nell", 20)
    assert [row.chance for row in rows] == [learned.chance_of[number] for number in range(60, 40, -1)]
    assert [row.accepted for row in rows] == [accepts(number) for number in range(60, 40, -1)]
    decide_each(db, [5], accepts)
    assert foretold(db, "Nell", 1)[0].chance is None
    seen = figures(queue, "Nell")
    assert seen.by == "model"
    right = sum((learned.chance_of[number] >= 0.5) == accepts(number) for number in range(41, 61))
    assert (seen.agreement.right, seen.agreement.count) == (right, 20)
    kept = [accepts(number) for number in range(41, 61) if learned.chance_of[number] >= 0.5]
    assert (seen.precision.right, seen.precision.count) == (sum(kept), len(kept))
