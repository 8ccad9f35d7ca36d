"""Two histories of review, however they went, fold into one that is the same from either side."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.review.decisions import Actor, Decision, decide, fold, redo, undo
from core.store.database import Database
from core.store.decisions import DecisionRow, append_decision, card_states, list_decisions
from core.store.merging.order import folded
from core.store.merging.review import merge_draws, merge_log, replace_states
from core.store.merging.tables import Tally, attached

CARDS = st.sampled_from(["a", "b", "c"])
VERBS = st.sampled_from(["accept", "reject", "defer", "flag"])
ACTORS = st.sampled_from([Actor("person", "Nell"), Actor("person", "Bo"), Actor("rule", "r")])
Step = tuple[str, Actor, list[tuple[str, str, bool]]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["decide", "decide", "undo", "redo"]),
        ACTORS,
        st.lists(st.tuples(CARDS, VERBS, st.booleans()), min_size=1, max_size=3),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "persona.db"
    Database.create(path).close()
    return path


def live(database: Database, steps: list[Step]) -> None:
    for what, actor, cards in steps:
        if what == "decide":
            states = card_states(database)
            chosen = [
                Decision(card, verb, second=second and ("memory", card) in states and actor.kind == "person")  # type: ignore[arg-type]
                for card, verb, second in cards
            ]
            decide(database, actor, chosen)
        else:
            turn: Callable[[Database, Actor], Any] = undo if what == "undo" else redo
            try:
                turn(database, actor)
            except UsageError:
                continue


def merged(own: Path, other: Path, into: Path) -> Database:
    shutil.copy(own, into)
    database = Database.open(into)
    for _ in range(2):  # A second time changes nothing.
        with attached(database, other), database.write():
            if merge_log(database, Tally()).changed:
                replace_states(database, fold(list_decisions(database)))
            merge_draws(database, Tally())
    return database


def log(database: Database) -> list[Any]:
    return [
        database.rows(f"SELECT * FROM {table} ORDER BY 1")
        for table in ("decision", "second_look", "foretold", "card_state", "sqlite_sequence")
    ]


@contextmanager
def sides(empty: Path, before: list[Step], *each: list[Step]) -> Iterator[tuple[Path, list[Path]]]:
    """A folder, and a database for each side, which share what was before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(empty, folder / "base.db")
        _lived(folder / "base.db", before)
        paths = []
        for number, steps in enumerate(each):
            paths.append(folder / f"{number}.db")
            shutil.copy(folder / "base.db", paths[-1])
            _lived(paths[-1], steps)
        yield folder, paths


def _lived(path: Path, steps: list[Step]) -> None:
    database = Database.open(path)
    live(database, steps)
    database.close()


@settings(max_examples=20, deadline=None)
@given(before=STEPS, own=STEPS, other=STEPS)
def test_the_same_from_either_side(empty: Path, before: list[Step], own: list[Step], other: list[Step]) -> None:
    with sides(empty, before, own, other) as (folder, (one, two)):
        first, second = merged(one, two, folder / "first.db"), merged(two, one, folder / "second.db")
        assert log(first) == log(second)
        states = {card: (state, text) for card, (state, text, _) in fold(list_decisions(first)).items()}
        assert card_states(first) == states
        for path in (one, two):
            side = Database.open(path)
            batches = [row.batch for row in list_decisions(side)]
            side.close()
            there = [row.batch for row in list_decisions(first) if row.batch in set(batches)]
            assert there == batches  # Nothing is lost, and what a side did in turn stays in turn.
        # Life goes on: the next turn finds the same batch on both.
        live(first, [("undo", Actor("person", "Nell"), [])])
        live(second, [("undo", Actor("person", "Nell"), [])])
        assert card_states(first) == card_states(second)
        first.close()
        second.close()


@settings(max_examples=6, deadline=None)
@given(sides_lived=st.lists(STEPS, min_size=3, max_size=3))
def test_three_machines_end_the_same_in_whatever_order(empty: Path, sides_lived: list[list[Step]]) -> None:
    with sides(empty, [], *sides_lived) as (folder, paths):
        ends = []
        for number, (a, b, c) in enumerate(((0, 1, 2), (2, 1, 0), (1, 2, 0))):
            half = merged(paths[a], paths[b], folder / f"half{number}.db")
            half.close()
            whole = merged(folder / f"half{number}.db", paths[c], folder / f"whole{number}.db")
            ends.append(log(whole))
            whole.close()
        assert ends[0] == ends[1] == ends[2]


NAMES = st.text("abcdefgh", min_size=1, max_size=1)


@given(st.data(), st.dictionaries(NAMES, st.integers(0, 3)))
def test_each_sides_order_stands_whatever_its_clock_said(data: st.DataObject, clock: dict[str, int]) -> None:
    order = data.draw(st.permutations(sorted(clock)))
    one = [name for name in order if data.draw(st.booleans())]
    two = [name for name in order if data.draw(st.booleans())]
    result = folded(one, two, lambda name: (clock[name], name))
    assert result == folded(two, one, lambda name: (clock[name], name))
    assert sorted(result) == sorted({*one, *two})
    assert [name for name in result if name in one] == one
    assert [name for name in result if name in two] == two


def test_histories_that_contradict_each_other_still_fold_to_one() -> None:
    assert folded(["b", "a"], ["a", "b"], str) == folded(["a", "b"], ["b", "a"], str) == ["a", "b"]


def test_a_clock_that_was_set_back_overturns_nothing(empty: Path, tmp_path: Path) -> None:
    """The box decides twice while its clock goes back an hour; home decides in between by its own."""
    paths = [tmp_path / "home.db", tmp_path / "box.db"]
    for path, moments in zip(paths, (["10:30"], ["11:00", "10:00"]), strict=True):
        shutil.copy(empty, path)
        database = Database.open(path)
        with database.write():
            for place, moment in enumerate(moments):
                name, verb = f"{path.stem}{place}", "reject" if place else "accept"
                append_decision(
                    database,
                    DecisionRow(0, moment, name, "memory", path.stem, verb, "", "", "person", "Nell", ""),
                )
        database.close()
    database = merged(paths[0], paths[1], tmp_path / "merged.db")
    assert [row.batch for row in list_decisions(database)] == ["home0", "box0", "box1"]
    assert card_states(database)["memory", "box"][0] == "rejected"
