"""A scan within a radius finds what a scan of everything finds, under every filter and after rows were removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import apsw
import numpy as np
import pytest
import sqlite_vec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store.scan_radius import radius
from core.store.sight import Sight
from core.store.sign_code import sign_codes
from core.store.vector_index import IndexRow, VectorIndex

DIMENSION = 24
ROWS = 12_000
WANTED = 80
SIGHTS = st.builds(Sight, st.none() | st.integers(-2, 25), st.booleans(), st.integers(0, 4))


@pytest.fixture(scope="module")
def index() -> Iterator[VectorIndex]:
    """Many rows in clusters that were added one after another, every third of some chunks removed again."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        made = VectorIndex(connection, "model", "r1", DIMENSION)
        chance = np.random.default_rng(1)
        vectors = np.repeat(chance.normal(size=(ROWS // 40, DIMENSION)), 40, axis=0)
        vectors += chance.normal(size=vectors.shape)
        made.add(IndexRow(i + 1, v.astype(np.float32), i * 22 // ROWS - 1, i % 4) for i, v in enumerate(vectors))
        made.remove(range(2000, 5000, 3))
        yield made


def code(seed: int) -> np.ndarray:
    return np.asarray(sign_codes(np.random.default_rng(seed).normal(size=(1, DIMENSION)).astype(np.float32))[0])


def within(index: VectorIndex, seed: int, sight: Sight) -> int | None:
    return radius(index._connection, index._table, code(seed), WANTED, sight)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sight=SIGHTS)
def test_the_nearest_are_the_same_as_without_it(index: VectorIndex, seed: int, sight: Sight) -> None:
    assert index._near(code(seed), WANTED, sight) == index._scanned(code(seed), WANTED, sight, None)


def test_it_is_narrow_and_almost_always_wide_enough(index: VectorIndex) -> None:
    enough = 0
    for seed in range(50):
        near = within(index, seed, Sight())
        assert near is not None
        found = len(index._scanned(code(seed), 4000, Sight(), near))
        assert found < 12 * WANTED
        enough += found >= WANTED
    assert enough >= 47


def test_few_shown_rows_are_looked_at_without_it(index: VectorIndex) -> None:
    assert within(index, 1, Sight(before=-5)) is None
    assert within(index, 1, Sight(before=0, include_undated=False)) is None


def test_another_layout_than_the_known_one_goes_without_it(index: VectorIndex) -> None:
    connection, table = index._connection, index._table
    connection.execute("SAVEPOINT other")
    connection.execute(f"UPDATE {table}_metadatachunks00 SET data = substr(data, 9)")
    assert within(index, 1, Sight()) is None
    connection.execute("ROLLBACK TO other")
    connection.execute("RELEASE other")
    assert within(index, 1, Sight()) is not None


@given(sight=SIGHTS, rows=st.lists(st.tuples(st.integers(-1, 26), st.integers(0, 5)), max_size=20))
def test_many_rows_are_shown_as_each_alone(sight: Sight, rows: list[tuple[int, int]]) -> None:
    days, conversations = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    assert sight.shows_each(days, conversations).tolist() == [sight.shows(*row) for row in rows]
