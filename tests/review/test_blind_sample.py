"""A rule decides for a person only with a precision that was measured on verdicts they gave without its figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import UsageError
from core.review.blind import FEWEST_REACHING, blind_sample, decide_by_measured_rule, draw, withdraw
from core.review.decisions import Actor, Decision, decide
from core.review.learning import Learner
from core.review.walk import Filter, open_walk
from core.store.blind_draws import drawn
from core.store.decisions import list_decisions
from core.store.learned import labels, question_bits
from core.workspace import Workspace
from tests.review.verdicts import NELL, decide_each, follows_the_judge, uid
from tests.review_rows import fill

COUNT = 300


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, COUNT)
    return workspace


def decide_drawn(workspace: Workspace, accepts: Callable[[int], bool]) -> None:
    rows = [row.memory_id for row in drawn(workspace.database, "Nell") if row.state == "pending"]
    decide_each(workspace.database, rows, accepts)


def test_the_draw_is_random_seeded_and_only_of_what_waits(queue: Workspace) -> None:
    decide_each(queue.database, range(1, 101), lambda number: True)
    assert draw(queue.database, "Nell", 60) == 60
    rows = [row.memory_id for row in drawn(queue.database, "Nell")]
    assert min(rows) > 100
    assert rows != sorted(rows)
    withdraw(queue.database, "Nell")
    draw(queue.database, "Nell", 60)
    assert [row.memory_id for row in drawn(queue.database, "Nell")] == rows
    draw(queue.database, "Nell", 60)
    assert len({row.memory_id for row in drawn(queue.database, "Nell")}) == 120
    assert draw(queue.database, "Nell", 500) == 80
    with pytest.raises(UsageError, match="no memory waits"):
        draw(queue.database, "Nell", 1)


def test_what_is_drawn_stands_first_in_every_order(queue: Workspace) -> None:
    draw(queue.database, "Nell", 10)
    rows = [row.memory_id for row in drawn(queue.database, "Nell")]
    for order in ("exchange", "score", "uncertainty", "time"):
        walk = open_walk(queue, "memory", order, Filter(), person="Nell")
        assert walk.ids[:10] == rows
        assert sorted(walk.ids) == list(range(1, COUNT + 1))
    assert open_walk(queue, "memory", "exchange", Filter(), person="Ines").ids[:10] == list(range(1, 11))
    decide_each(queue.database, rows[:3], lambda number: True)
    assert open_walk(queue, "memory", "exchange", Filter(), person="Nell").ids[:7] == rows[3:]


def test_nothing_is_learned_from_the_blind_sample(queue: Workspace) -> None:
    draw(queue.database, "Nell", 60)
    decide_drawn(queue, lambda number: number % 2 == 0)
    assert labels(queue.database, "Nell") == []
    assert Learner().learn(queue, "Nell") is None
    sample = blind_sample(queue.database, "Nell")
    assert (sample.drawn, sample.decided, sample.waiting) == (60, 60, 0)


def test_only_the_persons_own_look_counts(queue: Workspace) -> None:
    draw(queue.database, "Nell", 40)
    uids = [row.uid for row in drawn(queue.database, "Nell")]
    decide(queue.database, Actor("rule", "all"), [Decision(each, "accept") for each in uids[:5]])
    decide(queue.database, Actor("person", "Ines"), [Decision(uids[5], "accept")])
    decide(queue.database, NELL, [Decision(each, "accept") for each in uids[6:30]])
    decide(queue.database, NELL, [Decision(uids[30], "defer")])
    decide(queue.database, NELL, [Decision(uids[31], "accept")])
    assert blind_sample(queue.database, "Nell").decided == 1


def test_a_rule_is_refused_until_the_sample_states_its_precision(queue: Workspace) -> None:
    accepts = follows_the_judge(queue.database, COUNT, 60)
    with pytest.raises(UsageError, match="not known: 0 blind verdicts") as refused:
        decide_by_measured_rule(queue, "Nell", 0.2)
    assert "--blind" in refused.value.hint
    draw(queue.database, "Nell", 20)
    with pytest.raises(UsageError) as refused:
        decide_by_measured_rule(queue, "Nell", 0.2)
    assert "the 20 that are drawn" in refused.value.hint
    decide_drawn(queue, accepts)
    draw(queue.database, "Nell", 80)
    decide_drawn(queue, accepts)
    bits = question_bits(queue.database, range(1, COUNT + 1))
    sample = [row.memory_id for row in drawn(queue.database, "Nell")]
    reaching = [row for row in sample if bits[row] >= 0.2]
    assert len(reaching) >= FEWEST_REACHING
    report = decide_by_measured_rule(queue, "Nell", 0.2)
    assert (report.by, report.rule) == ("judge", "question-likelihood>=0.2")
    assert report.measured.precision.count == len(reaching)
    assert report.measured.precision.right == sum(accepts(row) for row in reaching)
    assert report.accepted + report.rejected == COUNT - 100
    last = list_decisions(queue.database)[-1]
    assert (last.actor_kind, last.actor) == ("rule", "question-likelihood>=0.2")
    with pytest.raises(UsageError, match="no memory waits"):
        decide_by_measured_rule(queue, "Nell", 3.0)


def test_where_too_few_reach_the_threshold_one_is_sent_to_the_queue(queue: Workspace) -> None:
    with pytest.raises(UsageError, match="not known") as refused:
        decide_by_measured_rule(queue, "Nell", 3.0)
    assert "decide on them yourself" in refused.value.hint


def test_with_a_model_the_threshold_is_its_chance(queue: Workspace) -> None:
    accepts = follows_the_judge(queue.database, COUNT, 60)
    draw(queue.database, "Nell", 120)
    decide_drawn(queue, accepts)
    taken = {row.memory_id for row in drawn(queue.database, "Nell")}
    decide_each(queue.database, [number for number in range(1, COUNT + 1) if number not in taken][:80], accepts)
    learned = Learner().learn(queue, "Nell")
    assert learned is not None
    for beside in (-0.1, 0.0, 1.5):
        with pytest.raises(UsageError, match="is no chance"):
            decide_by_measured_rule(queue, "Nell", beside)
    report = decide_by_measured_rule(queue, "Nell", 0.6)
    assert (report.by, report.rule) == ("model", "learned-from-Nell>=0.6")
    reaching = [row for row in taken if learned.chance_of[row] >= 0.6]
    assert report.measured.precision.count == len(reaching)
    assert report.measured.precision.right == sum(accepts(row) for row in reaching)
    accepted = {row for row in taken if accepts(row)}
    assert report.measured.kept.count == len(accepted)
    assert report.measured.kept.right == len(accepted.intersection(reaching))


def test_the_command_draws_hides_refuses_and_states(queue: Workspace, simulee: Callable[..., Any]) -> None:
    def call(*arguments: object) -> Any:
        return simulee("review", *arguments, "--by", "Nell", "-w", queue.root, "--json")

    refused = call("--auto", "0.2")
    assert refused.returncode == 2
    told = json.loads(refused.stdout)
    assert "is not known" in told["error"]
    assert "simulee review --blind" in told["hint"]
    assert list_decisions(queue.database) == []
    assert json.loads(call("--blind", "90").stdout)["drawn"] == 90
    items = json.loads(call("--next", "91").stdout)["items"]
    assert [item["blind"] for item in items] == [True] * 90 + [False]
    assert all(item["question_bits"] is None and item["answer_bits"] is None for item in items[:90])
    assert items[90]["question_bits"] is not None
    plain = simulee("review", "--next", "1", "--by", "Nell", "-w", queue.root).stdout
    assert "hidden on this card" in plain
    assert "bits" not in plain
    assert json.loads(call("--decide", items[0]["id"], "accept").stdout)["accepted"] == 1
    decide_drawn(queue, follows_the_judge(queue.database, COUNT, 60))
    done = call("--auto", "0.2")
    assert done.returncode == 0, done.stderr
    rule = json.loads(done.stdout)["auto"]
    assert rule["by"] == "judge"
    assert rule["precision"]["n"] >= FEWEST_REACHING
    assert rule["precision"]["low"] < rule["precision"]["value"] <= rule["precision"]["high"]
    assert json.loads(done.stdout)["pending"] == 0


def test_one_thing_at_a_time(queue: Workspace, simulee: Callable[..., Any]) -> None:
    both = simulee("review", "--auto", "0", "--blind", "5", "-w", queue.root)
    assert both.returncode == 2
    assert "one thing at a time" in both.stderr
    assert uid(1) not in both.stdout
