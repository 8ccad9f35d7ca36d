"""Decided cards come back unmarked, at random places; the second verdict stands apart and changes nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.review.decisions import Actor, Decision, decide, recompute, redo, undo
from core.review.second_looks import APART, EVERY, consistency, due
from core.review.walk import Filter, Walk, load_cards, open_walk
from core.store.decisions import card_states, list_decisions
from core.store.review_queue import MemoryCard
from core.workspace import Workspace
from tests.review.verdicts import NELL, decide_each, uid
from tests.review_rows import fill

COUNT = 800
DECIDED = 400


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    """Half of the memories are decided on by Nell, who accepts every third."""
    fill(workspace.database, COUNT)
    decide_each(workspace.database, range(1, DECIDED + 1), lambda number: number % 3 == 0)
    return workspace


def looks_of(walk: Walk) -> list[int]:
    return [-row for row in walk.ids if row < 0]


def look_again(workspace: Workspace, accept: Callable[[int], bool], person: Actor = NELL) -> list[int]:
    """Give the second verdicts that are due; returns the memories."""
    rows = due(workspace.database, person.name)
    for row in rows:
        decide(workspace.database, person, [Decision(uid(row), "accept" if accept(row) else "reject", second=True)])
    return rows


def test_one_in_twenty_comes_back_and_none_that_was_just_seen(queue: Workspace) -> None:
    rows = due(queue.database, "Nell")
    assert 0.03 * DECIDED < len(rows) < 0.07 * DECIDED
    assert rows == due(queue.database, "Nell")
    assert rows != sorted(rows)
    assert max(rows) <= DECIDED - APART
    assert due(queue.database, "Ines") == []


def test_what_a_rule_or_a_large_batch_decided_does_not_come_back(workspace: Workspace) -> None:
    fill(workspace.database, COUNT)
    decide_each(workspace.database, range(1, 301), lambda number: True, Actor("rule", "Nell"))
    decide(workspace.database, NELL, [Decision(uid(number), "accept") for number in range(301, 601)])
    decide_each(workspace.database, range(701, 701 + APART), lambda number: True)
    assert due(workspace.database, "Nell") == []


def test_they_stand_at_random_places_one_to_twenty_fresh_cards(queue: Workspace) -> None:
    walk = open_walk(queue, "memory", "exchange", Filter(), person="Nell")
    places = [place for place, row in enumerate(walk.ids) if row < 0]
    assert set(looks_of(walk)) == set(due(queue.database, "Nell"))
    gaps = [after - before for before, after in pairwise(places)]
    assert places[0] <= EVERY
    assert all(0 < gap <= 2 * EVERY for gap in gaps)
    assert len(set(gaps)) > 3
    assert walk.total == COUNT
    assert walk.counts["pending"] == COUNT - DECIDED


def test_without_fresh_cards_around_them_there_are_none(queue: Workspace) -> None:
    decide_each(queue.database, range(DECIDED + 1, COUNT + 1), lambda number: True)
    assert open_walk(queue, "memory", "exchange", Filter(), person="Nell").ids == []
    for text in ("state:all", "tide"):
        assert looks_of(open_walk(queue, "memory", "exchange", Filter.parse(text), person="Nell")) == []


def test_the_card_bears_no_trace_and_some_fresh_ones_look_like_it(queue: Workspace) -> None:
    row = due(queue.database, "Nell")[0]
    decide(queue.database, NELL, [Decision(uid(row), "edit", "too vague", "Other words.")])
    decide_each(queue.database, range(DECIDED + 1, DECIDED + 1 + APART), lambda number: True)
    walk = open_walk(queue, "memory", "exchange", Filter(), person="Nell")
    assert row in looks_of(walk)
    cards = load_cards(queue, "memory", walk.ids, walk, "Nell")
    card = cards[-row]
    assert isinstance(card, MemoryCard)
    assert (card.state, card.text, card.reason, card.veiled) == ("pending", card.original, "", True)
    fresh = [each for row, each in cards.items() if row > 0 and isinstance(each, MemoryCard)]
    assert 0.02 * len(fresh) < sum(each.veiled for each in fresh) < 0.09 * len(fresh)


def test_the_second_verdict_stands_apart_and_does_not_overturn_the_first(queue: Workspace) -> None:
    before = card_states(queue.database)
    rows = look_again(queue, lambda number: number % 3 != 0)
    assert card_states(queue.database) == before
    assert recompute(queue.database) == 0
    assert due(queue.database, "Nell") == []
    seen = consistency(queue.database, "Nell")
    assert (seen.agreement.right, seen.agreement.count) == (0, len(rows))
    assert seen.kappa is not None
    assert seen.kappa < 0
    assert {each.card_uid for each in seen.contradictions} == {uid(row) for row in rows}
    assert not any(each.settled for each in seen.contradictions)
    decide(queue.database, NELL, [Decision(uid(rows[0]), "reject")])
    settled = [each.card_uid for each in consistency(queue.database, "Nell").contradictions if each.settled]
    assert settled == [uid(rows[0])]


def test_consistency_counts_agreement_and_kappa(queue: Workspace) -> None:
    rows = look_again(queue, lambda number: number % 3 == 0)
    seen = consistency(queue.database, "Nell")
    assert (seen.agreement.value, seen.kappa, seen.contradictions) == (1.0, 1.0, ())
    undo(queue.database, NELL)
    assert consistency(queue.database, "Nell").agreement.count == len(rows) - 1
    assert due(queue.database, "Nell") == [rows[-1]]
    redo(queue.database, NELL)
    assert consistency(queue.database, "Nell").agreement.count == len(rows)


def test_a_second_look_and_a_decision_are_undone_in_the_order_they_were_made(queue: Workspace) -> None:
    row = due(queue.database, "Nell")[0]
    decide(queue.database, NELL, [Decision(uid(COUNT), "accept")])
    decide(queue.database, NELL, [Decision(uid(row), "reject", second=True)])
    decide(queue.database, NELL, [Decision(uid(COUNT - 1), "accept")])
    assert [each.card_uid for each in undo(queue.database, NELL)] == [uid(COUNT - 1)]
    assert [(each.card_kind, each.card_uid) for each in undo(queue.database, NELL)] == [("second", uid(row))]
    assert [each.card_uid for each in undo(queue.database, NELL)] == [uid(COUNT)]
    assert [redo(queue.database, NELL)[0].card_uid for _ in range(3)] == [uid(COUNT), uid(row), uid(COUNT - 1)]


def test_the_statistics_tell_consistency_and_list_contradictions(queue: Workspace, simulee: Callable[..., Any]) -> None:
    rows = look_again(queue, lambda number: number % 2 == 0)
    told = json.loads(simulee("review", "--stats", "--by", "Nell", "-w", queue.root, "--json").stdout)
    assert told["consistency"]["n"] == len(rows)
    assert told["consistency"]["kappa"] is not None
    wrong = [uid(row) for row in rows if (row % 2 == 0) != (row % 3 == 0)]
    assert sorted(each["card_uid"] for each in told["contradictions"]) == sorted(wrong)
    plain = simulee("review", "--stats", "--by", "Nell", "-w", queue.root).stdout
    assert "Cohen's kappa" in plain
    assert wrong[0] in plain


DECIDING = """
import sys
from pathlib import Path
from core.review.decisions import Actor, Decision, decide, redo, undo
from core.workspace import Workspace
from tests.review.verdicts import uid
db = Workspace.open(Path(sys.argv[1])).database
looks, number, nell = [int(row) for row in sys.argv[2].split(",")], int(sys.argv[3]), Actor("person", "Nell")
while True:
    for step in range(5):
        number += 1
        second = step == 2
        decide(db, nell, [Decision(uid(looks[number % len(looks)] if second else number), "accept", second=second)])
        print("second" if second else "first", number, flush=True)
    undo(db, nell)
    print("undo", number, flush=True)
    redo(db, nell)
    print("redo", number, flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_at_any_moment_has_lost_nothing_that_it_had_said(queue: Workspace, tmp_path: Path) -> None:
    chance = random.Random(11)
    looks = due(queue.database, "Nell")
    said: dict[str, int] = {"first": 0, "second": 0, "undo": 0, "redo": 0}
    number = DECIDED
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", DECIDING, str(queue.root), ",".join(map(str, looks)), str(number)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(chance.randrange(3, 25)):
            what, at = process.stdout.readline().split()
            said[what] += 1
            number = int(at)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate()[0].splitlines()
        for what, at in (line.split() for line in rest if line.count(" ") == 1):
            said[what] += 1
            number = int(at)
        number += 5  # What was being decided on as it was killed may be there too.
    rows = list_decisions(queue.database)
    made = {
        "first": sum(row.card_kind == "memory" for row in rows) - DECIDED,
        "second": int(queue.database.value("SELECT count(*) FROM second_look")),
        "undo": sum(row.verb == "undo" for row in rows),
        "redo": sum(row.verb == "redo" for row in rows),
    }
    assert all(said[what] <= made[what] <= said[what] + 8 for what in said), (said, made)
    assert sum(made.values()) <= sum(said.values()) + 8
    assert queue.database.value("PRAGMA integrity_check") == "ok"
    assert recompute(queue.database) == 0
    undo(queue.database, NELL)
