"""The vector index against brute force, and against what vec0 does when a write fails or its tables are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import apsw
import numpy as np
import pytest
import sqlite_vec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError
from core.store.vector_index import CANDIDATES, QUESTIONS, Hit, IndexRow, VectorIndex

DIMENSION = 24


def connect(path: str = ":memory:") -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(connect()) as opened:
        yield opened


@pytest.fixture
def index(connection: apsw.Connection) -> VectorIndex:
    return VectorIndex(connection, "model", "r1", DIMENSION)


def vectors(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def rows(count: int, seed: int = 0) -> list[IndexRow]:
    """Ids from 1; days from undated (-1) to 18; conversations 0 to 3."""
    return [IndexRow(i + 1, vector, i % 20 - 1, i % 4) for i, vector in enumerate(vectors(count, seed))]


def brute_force(kept: list[IndexRow], query: np.ndarray, k: int) -> list[Hit]:
    def cosine(row: IndexRow) -> float:
        a, b = row.vector.astype(np.float64), query.astype(np.float64)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    return sorted((Hit(row.id, cosine(row)) for row in kept), key=lambda hit: (-hit.score, hit.id))[:k]


def ids(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def test_the_nearest_come_first_with_their_cosine(index: VectorIndex) -> None:
    known = rows(100)
    assert index.add(known) == 100
    query = known[41].vector * 7
    hits = index.search(query, 5)
    assert hits[0].id == 42
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in brute_force(known, query, 5)])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, CANDIDATES),
    k=st.integers(1, 30),
    before=st.none() | st.integers(-2, 21),
    include_undated=st.booleans(),
    not_conversation=st.integers(0, 4),
)
def test_search_agrees_with_brute_force_under_every_filter(
    seed: int, count: int, k: int, before: int | None, include_undated: bool, not_conversation: int
) -> None:
    known = rows(count, seed)
    query = vectors(1, seed + 1)[0]
    with closing(connect()) as connection:
        index = VectorIndex(connection, "model", "r1", DIMENSION)
        index.add(known)
        hits = index.search(query, k, before=before, include_undated=include_undated, not_conversation=not_conversation)
    kept = [
        row
        for row in known
        if (before is None or row.last_day < before)
        and (include_undated or row.last_day >= 0)
        and (not_conversation == 0 or row.conversation != not_conversation)
    ]
    expected = brute_force(kept, query, k)
    assert ids(hits) == ids(expected)
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sets(st.integers(1, 12)), st.integers(0, 99))))
def test_any_order_of_adding_and_removing_leaves_what_was_last_said(
    steps: list[tuple[str, set[int], int]],
) -> None:
    kept: dict[int, IndexRow] = {}
    with closing(connect()) as connection:
        index = VectorIndex(connection, "model", "r1", DIMENSION)
        for step, chosen, seed in steps:
            if step == "add":
                fresh = [IndexRow(i, v, seed, 0) for i, v in zip(sorted(chosen), vectors(12, seed), strict=False)]
                assert index.add(fresh) == len(fresh)
                kept |= {row.id: row for row in fresh}
            else:
                index.remove(chosen)
                kept = {i: row for i, row in kept.items() if i not in chosen}
        query = vectors(1, 7)[0]
        assert ids(index.search(query, 20)) == ids(brute_force(list(kept.values()), query, 20))
        assert index.check() == []


def test_recall_holds_on_many_vectors_and_under_a_narrow_filter(connection: apsw.Connection) -> None:
    dimension, count = 384, 6000
    generator = np.random.default_rng(3)
    centers = generator.normal(size=(300, dimension))
    weights = generator.dirichlet([1, 1, 1], count)
    members = np.einsum("nk,nkd->nd", weights, centers[generator.integers(0, 300, (count, 3))]).astype(np.float32)
    index = VectorIndex(connection, "model", "r1", dimension)
    index.add(IndexRow(i, vector, i % 100, 0) for i, vector in enumerate(members))
    unit = members / np.linalg.norm(members, axis=1, keepdims=True)
    for before, bound in ((None, count), (5, 5)):
        found = 0
        for query in centers[:40].astype(np.float32):
            scores = np.where(np.arange(count) % 100 < bound, unit @ query, -2)
            found += len(set(np.argsort(-scores)[:10].tolist()) & set(ids(index.search(query, 10, before=before))))
        assert found / 400 >= 0.98


def test_equal_scores_are_ordered_by_id(index: VectorIndex) -> None:
    same = vectors(1)[0]
    index.add([IndexRow(chunk_id, same, 0, 0) for chunk_id in (9, 3, 7, 5)])
    assert ids(index.search(same, 3)) == [3, 5, 7]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused_and_nothing_of_its_batch_stays(
    index: VectorIndex, value: float
) -> None:
    bad = vectors(1)[0]
    bad[3] = value
    with pytest.raises(StoreError, match="chunk 12 is zero or not finite"):
        index.add([IndexRow(11, vectors(1)[0], 0, 0), IndexRow(12, bad, 0, 0)])
    assert index.search(vectors(1)[0], 5) == []
    with pytest.raises(StoreError, match="the query is zero or not finite"):
        index.search(bad, 5)


def test_a_zero_vector_is_refused_stored_or_asked(index: VectorIndex) -> None:
    zero = np.zeros(DIMENSION, dtype=np.float32)
    with pytest.raises(StoreError, match="zero"):
        index.add([IndexRow(1, zero, 0, 0)])
    with pytest.raises(StoreError, match="zero"):
        index.search(zero, 5)


def test_vectors_of_another_dimension_are_refused(index: VectorIndex) -> None:
    with pytest.raises(StoreError, match="has shape"):
        index.add([IndexRow(1, vectors(1, dimension=8)[0], 0, 0)])
    with pytest.raises(StoreError, match="has shape"):
        index.search(vectors(1, dimension=8)[0], 5)


@pytest.mark.parametrize("day", [2**63, 1.5, None, "2014"])
def test_a_write_that_fails_inside_a_transaction_leaves_no_ghost(
    connection: apsw.Connection, index: VectorIndex, day: object
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    index.add(rows(3))
    with pytest.raises((StoreError, OverflowError)):
        index.add([IndexRow(1, vectors(1, 9)[0], 5, 0), IndexRow(50, vectors(1)[0], cast(Any, day), 0)])
    connection.execute("COMMIT")
    assert index.check() == []
    hits = index.search(rows(1)[0].vector, 10)
    assert sorted(ids(hits)) == [1, 2, 3]
    assert hits[0].score == pytest.approx(1)


def test_the_caller_owns_the_transaction(connection: apsw.Connection, index: VectorIndex) -> None:
    connection.execute("BEGIN IMMEDIATE")
    index.add(rows(3))
    index.remove([1])
    assert connection.in_transaction
    connection.execute("ROLLBACK")
    assert index.search(vectors(1)[0], 5) == []
    assert index.check() == []


def test_adding_again_replaces_vector_and_metadata(index: VectorIndex) -> None:
    first, second = vectors(2)
    index.add([IndexRow(1, first, 3, 0)])
    index.add([IndexRow(1, first, 3, 0), IndexRow(1, second, 8, 2)])
    assert index.search(second, 5) == [Hit(1, pytest.approx(1))]
    assert index.search(second, 5, before=8) == []
    assert index.search(second, 5, not_conversation=2) == []


def test_vectors_of_two_models_or_revisions_do_not_meet(connection: apsw.Connection, index: VectorIndex) -> None:
    other = VectorIndex(connection, "model", "r2", DIMENSION)
    index.add(rows(2))
    other.add([IndexRow(77, vectors(1)[0], 0, 0)])
    assert sorted(ids(index.search(vectors(1)[0], 5))) == [1, 2]
    assert ids(other.search(vectors(1)[0], 5)) == [77]
    assert index.check() == other.check() == []


def test_questions_and_passages_with_the_same_ids_do_not_meet(connection: apsw.Connection, index: VectorIndex) -> None:
    questions = VectorIndex(connection, "model", "r1", DIMENSION, QUESTIONS)
    index.add(rows(3))
    questions.add(rows(5, seed=1))
    query = rows(5, seed=1)[4].vector
    assert ids(questions.search(query, 1)) == [5]
    assert 5 not in ids(index.search(query, 5))
    questions.remove([1, 2, 3, 4])
    assert sorted(ids(index.search(query, 5))) == [1, 2, 3]
    assert questions.rebuild([(5, 3, 0)]) == 1
    assert ids(questions.search(query, 5, before=4)) == [5]
    assert questions.search(query, 5, before=3) == []
    assert index.check() == questions.check() == []
    with pytest.raises(StoreError, match="question 9 has shape"):
        questions.add([IndexRow(9, vectors(1, dimension=8)[0], 0, 0)])


def test_an_index_opened_again_has_what_was_written(tmp_path: Any) -> None:
    file = str(tmp_path / "vectors.db")
    with closing(connect(file)) as connection:
        VectorIndex(connection, "model", "r1", DIMENSION).add(rows(30))
    with closing(connect(file)) as connection:
        index = VectorIndex(connection, "model", "r1", DIMENSION)
        assert index.search(rows(30)[12].vector, 1) == [Hit(13, pytest.approx(1))]


def test_a_rebuilt_index_answers_as_the_original(index: VectorIndex) -> None:
    known = rows(CANDIDATES)
    index.add(known)
    query = vectors(1, 5)[0]
    asked: list[dict[str, Any]] = [{}, {"before": 4}, {"before": 4, "include_undated": False}, {"not_conversation": 2}]
    before = [index.search(query, 20, **how) for how in asked]
    assert index.rebuild((row.id, row.last_day, row.conversation) for row in known) == CANDIDATES
    assert [index.search(query, 20, **how) for how in asked] == before
    assert index.check() == []


LOST = ["info", "chunks", "rowids", "vector_chunks00", "metadatachunks00", "metadatachunks01"]


@pytest.mark.parametrize("lost", LOST)
def test_an_index_that_lost_a_table_of_its_own_can_be_rebuilt(tmp_path: Any, lost: str) -> None:
    file = str(tmp_path / "vectors.db")
    with closing(connect(file)) as connection:
        VectorIndex(connection, "model", "r1", DIMENSION).add(rows(30))
        (table,) = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema") if name.endswith(lost)]
        connection.execute(f"DROP TABLE {table}")
    with closing(connect(file)) as connection:
        index = VectorIndex(connection, "model", "r1", DIMENSION)
        assert index.rebuild((row.id, row.last_day, row.conversation) for row in rows(30)) == 30
        assert index.check() == []
        assert index.search(rows(30)[12].vector, 1) == [Hit(13, pytest.approx(1))]


def test_a_damaged_index_says_so_and_names_the_remedy(connection: apsw.Connection, index: VectorIndex) -> None:
    index.add(rows(3))
    (table,) = [n for (n,) in connection.execute("SELECT name FROM sqlite_schema") if n.endswith("_vector_chunks00")]
    connection.execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match="damaged") as caught:
        index.search(vectors(1)[0], 3)
    assert "--rebuild-index" in caught.value.hint
    assert index.check()


def test_check_names_what_is_on_one_side_only(connection: apsw.Connection, index: VectorIndex) -> None:
    index.add(rows(5))
    connection.execute("DELETE FROM vector WHERE chunk_id = 2")
    assert index.check() == ["1 rows of the index have no vector"]
    assert 2 not in ids(index.search(rows(5)[1].vector, 5))
    index.remove([2])
    assert index.check() == []
    index.rebuild((row.id, 0, 0) for row in rows(3))
    assert index.check() == ["2 vectors are not in the index"]


def test_check_sees_a_vector_that_was_changed_or_cut(connection: apsw.Connection, index: VectorIndex) -> None:
    index.add(rows(5))
    other = vectors(1, 99)[0].tobytes()
    connection.execute("UPDATE vector SET blob = ? WHERE chunk_id = 2", (other,))
    connection.execute("UPDATE vector SET blob = ? WHERE chunk_id = 3", (other[:-4],))
    assert index.check() == [
        "1 stored vectors are damaged: embed these passages again",
        "1 rows of the index do not match their vector",
    ]


@pytest.mark.parametrize("k", [0, -1, 4097])
def test_a_k_that_cannot_be_answered_is_refused(index: VectorIndex, k: int) -> None:
    with pytest.raises(StoreError, match="passages"):
        index.search(vectors(1)[0], k)
