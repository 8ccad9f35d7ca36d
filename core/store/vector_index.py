"""Nearest by cosine: a scan of sign codes in a vec0 table, then exact scores from the stored vectors.

The same for passages and for the questions about them; ``Shelf`` says which. The vectors lie in an ordinary table; the
vec0 table holds only what a scan needs, and can be rebuilt at any time. The cost of a vec0 scan grows with ``k`` times
the rows that it may return; ``scan_radius`` keeps these few. Filters are integer columns of the vec0 table, applied
inside the scan, so that a narrow filter costs no recall.

Every change is made under a savepoint, because vec0 keeps half a row of a failed insert; and as DELETE, then INSERT,
because it knows no REPLACE. The caller owns the transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import apsw
import numpy as np
from numpy.typing import NDArray

from core.dates import UNDATED_DAY
from core.errors import StoreError
from core.store.scan_radius import radius
from core.store.sight import Sight
from core.store.sign_code import CODE, MAXIMUM_DIMENSION, code_bits, sign_codes

MAXIMUM_K = 4096
"""What vec0 returns at most."""
VEC0_CHUNK = 256
"""Rows in one of vec0's chunks. Picking the nearest costs more in a large chunk, and many small ones cost reading;
with vec0's own 1024 a search among 10,000 rows takes a tenth longer, and under a narrow filter half as long again."""
CANDIDATES = 95
CANDIDATES_PER_HIT = 3
CANDIDATE_GROWTH = 0.28
"""For ten hits among 10,000 rows; more for each further hit, and by this power of the number of rows. Measured with
bench/vectors.py: of the ten nearest, 0.985 are then found among 10,000 and 100,000 rows alike, and of the eighty, which
is what a talk looks for, about as many."""
BATCH = 1024
VEC0_TABLES = ("info", "chunks", "rowids", "vector_chunks00", "metadatachunks00", "metadatachunks01")
"""The ordinary tables in which vec0 keeps a table with one vector column and two integer columns."""
REBUILD_HINT = "simulee doctor --rebuild-index"
CODE_SLACK_BITS = 8
"""Bits that may differ between machines, where a product lies next to zero."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is indexed, and where its vectors lie: names written by this package's modules, never by a user."""

    noun: str
    """What a message calls one row."""
    vectors: str
    """The ordinary table of the vectors."""
    key: str
    """Its column of ids, and the vec0 table's."""
    index: str
    """How the names of the vec0 tables begin."""


CHUNKS = Shelf("chunk", "vector", "chunk_id", "vector_index")
QUESTIONS = Shelf("question", "question_vector", "question_id", "question_index")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One passage or question to index."""

    id: int
    vector: Vector
    """Float32, shape (dimension,), of any length but zero."""
    last_day: int
    """Ordinal of the last day that the passage's date may mean, -1 when undated."""
    conversation: int
    """The conversation that it comes from, 0 for none."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One row found; ``score`` is the cosine of its vector and the query's."""

    id: int
    score: float


class VectorIndex:
    """The vectors of one model at one revision, and the index over them."""

    def __init__(
        self, connection: apsw.Connection, model: str, revision: str, dimension: int, shelf: Shelf = CHUNKS
    ) -> None:
        """Make the tables that are missing. The connection has sqlite-vec loaded.

        Raises StoreError for a dimension out of 1 to 4096, or one that the stored vectors do not have.
        """
        if not 1 <= dimension <= MAXIMUM_DIMENSION:
            raise StoreError(
                f"the index takes vectors of 1 to {MAXIMUM_DIMENSION} numbers, not {dimension}",
                "choose another embedder",
            )
        self._connection = connection
        self._shelf = shelf
        self._key = shelf.key
        self._owner = (model, revision)
        self._dimension = dimension
        self._bytes = 4 * dimension
        bits = code_bits(dimension)
        key = hashlib.sha256(
            "\0".join((model, revision, str(dimension), CODE, str(bits), str(VEC0_CHUNK))).encode()
        ).hexdigest()
        self._table = f"{shelf.index}_{key[:16]}"
        self._create = (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {self._table} USING vec0"
            f"({shelf.key} INTEGER PRIMARY KEY, code bit[{bits}], last_day INTEGER, conversation INTEGER,"
            f" chunk_size={VEC0_CHUNK})"
        )
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {shelf.vectors} ({shelf.key} INTEGER NOT NULL, model TEXT NOT NULL,"
            " revision TEXT NOT NULL, dimension INTEGER NOT NULL, blob BLOB NOT NULL,"
            f" PRIMARY KEY ({shelf.key}, model, revision)) WITHOUT ROWID"
        )
        connection.execute(self._create)

    def add(self, rows: Iterable[IndexRow]) -> int:
        """Store and index rows, in place of those with the same id; returns how many. All of them or none.

        Raises StoreError for a vector of another shape, not finite or zero, and for metadata that is not an integer.
        """
        pending = iter(rows)
        count = 0
        with self._savepoint():
            while batch := list(islice(pending, BATCH)):
                count += len(batch)
                self._add_batch(list({row.id: row for row in batch}.values()))
        return count

    def remove(self, ids: Iterable[int]) -> None:
        """Remove vectors from the table and from the index; unknown ids are passed over."""
        gone = [(each,) for each in ids]
        with self._savepoint():
            self._connection.executemany(f"DELETE FROM {self._table} WHERE {self._key} = ?", gone)
            self._connection.executemany(
                f"DELETE FROM {self._shelf.vectors} WHERE {self._key} = ? AND model = ? AND revision = ?",
                ((*each, *self._owner) for each in gone),
            )

    def is_missing(self) -> bool:
        """Whether there are vectors and no index over them: it was dropped, or made by another version."""
        # Not of the virtual table itself, which reads all of its codes before it gives a row.
        any_row = f"SELECT EXISTS (SELECT 1 FROM {self._table}_rowids)"
        any_vector = f"SELECT EXISTS (SELECT 1 FROM {self._shelf.vectors} WHERE model = ? AND revision = ?)"
        return bool(self._connection.execute(any_vector, self._owner).get) and not self._connection.execute(any_row).get

    def prune(self) -> int:
        """Remove the rows of the index whose vector is gone with its passage; returns how many."""
        gone = self._connection.execute(
            f"SELECT {self._key} FROM {self._table}"
            f" EXCEPT SELECT {self._key} FROM {self._shelf.vectors} WHERE model = ? AND revision = ?",
            self._owner,
        ).fetchall()
        with self._savepoint():
            self._connection.executemany(f"DELETE FROM {self._table} WHERE {self._key} = ?", gone)
        return len(gone)

    def search(
        self,
        query: Vector,
        k: int,
        *,
        before: int | None = None,
        include_undated: bool = True,
        not_conversation: int = 0,
    ) -> list[Hit]:
        """The ``k`` nearest by cosine, best first, then by id.

        ``before``: only passages whose last day is earlier; undated ones count as earlier unless ``include_undated``
        is off, which leaves them out with or without ``before``. ``not_conversation``: leave out one conversation's
        passages; 0 leaves out none. Scores are exact, but a passage may be missed: see bench/README.md for how often.
        Raises StoreError for a query that cannot be compared, a ``k`` out of 1 to 4096, or a damaged index.
        """
        if not 1 <= k <= MAXIMUM_K:
            raise StoreError(f"a search returns 1 to {MAXIMUM_K} passages, not {k}", "ask for fewer")
        wanted = self._checked("the query", query)
        sight = Sight(before, include_undated, not_conversation)
        with self._damage_told():
            found = self._near(sign_codes(wanted[None])[0], self._candidates(k), sight)
        if not found:
            return []
        ids = np.array([row[0] for row in found])
        scores = _cosines(self._matrix(found), wanted)
        best = np.lexsort((ids, -scores))[:k]
        return [Hit(int(ids[place]), float(scores[place])) for place in best]

    def rebuild(self, metadata: Iterable[tuple[int, int, int]]) -> int:
        """Make the index again from the stored vectors; returns how many were indexed.

        ``metadata`` gives (id, last day, conversation) for every row there is; a vector without it is left out, and
        ``check`` will say so. Raises StoreError for a stored vector that cannot be indexed.
        """
        known = {row_id: (last_day, conversation) for row_id, last_day, conversation in metadata}
        count = 0
        with self._savepoint():
            self._drop()
            self._connection.execute(self._create)
            for stored in self._stored():
                kept = [row for row in stored if row[0] in known]
                if kept:
                    codes = sign_codes(
                        self._all_checked([f"{self._shelf.noun} {row[0]}" for row in kept], self._matrix(kept))
                    )
                    self._insert_codes((row[0], code, *known[row[0]]) for row, code in zip(kept, codes, strict=True))
                count += len(kept)
        return count

    def check(self) -> list[str]:
        """What is wrong, one sentence each: ids on one side only, vectors or codes that are not what they should be."""
        problems: list[str] = []
        try:
            indexed = {int(row[0]): bytes(row[1]) for row in self._all_codes()}
        except apsw.Error as error:
            return [f"the index {self._table} cannot be read: {error}"]
        rowids = self._connection.execute(f"SELECT count(*) FROM {self._table}_rowids").get
        if rowids != len(indexed):
            problems.append(f"the index counts {rowids} rows but holds {len(indexed)}")
        stored: set[int] = set()
        damaged, stale = 0, 0
        for batch in self._stored():
            stored.update(row[0] for row in batch)
            sound = [row for row in batch if len(row[1]) == self._bytes and row[2] == self._dimension]
            matrix = self._matrix(sound)
            usable = _usable(matrix)
            damaged += len(batch) - int(usable.sum())
            codes = sign_codes(matrix[usable]) if usable.any() else ()
            ids = [row[0] for row, fine in zip(sound, usable, strict=True) if fine]
            stale += sum(_differs(code, indexed[i]) for i, code in zip(ids, codes, strict=True) if i in indexed)
        counted = (
            (damaged, "stored vectors are damaged: embed these passages again"),
            (len(stored - indexed.keys()), "vectors are not in the index"),
            (len(indexed.keys() - stored), "rows of the index have no vector"),
            (stale, "rows of the index do not match their vector"),
        )
        return problems + [f"{number} {what}" for number, what in counted if number]

    def _candidates(self, k: int) -> int:
        """How many rows to score exactly for ``k`` hits; a row's chunk number tells how many rows there are."""
        chunks = self._connection.execute(f"SELECT max(chunk_id) FROM {self._table}_chunks").get or 1
        growth = max(1.0, chunks * VEC0_CHUNK / 10_000) ** CANDIDATE_GROWTH
        return min(MAXIMUM_K, int((CANDIDATES + CANDIDATES_PER_HIT * max(0, k - 10)) * growth))

    def _near(self, code: NDArray[np.uint8], count: int, sight: Sight) -> list[tuple[int, bytes]]:
        """(id, vector) of the rows whose codes are nearest, at most ``count``."""
        within = radius(self._connection, self._table, code, count, sight)
        if within is not None:
            found = self._scanned(code, count, sight, within)
            if len(found) >= count:
                return found
        return self._scanned(code, count, sight, None)

    def _scanned(
        self, code: NDArray[np.uint8], count: int, sight: Sight, within: int | None
    ) -> list[tuple[int, bytes]]:
        conditions = ["code MATCH vec_bit(?)", "k = ?"]
        values: list[object] = [code.tobytes(), count]
        for condition, value in (
            ("last_day < ?", sight.before),
            ("last_day > ?", None if sight.include_undated else UNDATED_DAY),
            ("conversation != ?", sight.not_conversation or None),
            ("distance <= ?", within),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        # A vec0 row whose vector is gone (its chunk was deleted) falls out of the join.
        key = self._key
        return list(
            self._connection.execute(
                f"SELECT stored.{key}, blob FROM"
                f" (SELECT {key} FROM {self._table} WHERE {' AND '.join(conditions)}) AS near"
                f" CROSS JOIN {self._shelf.vectors} AS stored"
                f" ON stored.{key} = near.{key} AND model = ? AND revision = ?",
                (*values, *self._owner),
            )
        )

    def _add_batch(self, rows: list[IndexRow]) -> None:
        for row in rows:
            name = f"{self._shelf.noun} {row.id!r}"
            if type(row.id) is not int or type(row.last_day) is not int or type(row.conversation) is not int:
                raise StoreError(f"{name}: ids and days of the index are integers", "this is a bug")
            if row.vector.shape != (self._dimension,):
                raise self._misshapen(name, row.vector)
        names = [f"{self._shelf.noun} {row.id}" for row in rows]
        matrix = self._all_checked(names, np.array([row.vector for row in rows], dtype="<f4"))
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {self._shelf.vectors} ({self._key}, model, revision, dimension, blob)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                (row.id, *self._owner, self._dimension, vector.tobytes())
                for row, vector in zip(rows, matrix, strict=True)
            ),
        )
        self._connection.executemany(f"DELETE FROM {self._table} WHERE {self._key} = ?", ((row.id,) for row in rows))
        codes = sign_codes(matrix)
        self._insert_codes(
            (row.id, code, row.last_day, row.conversation) for row, code in zip(rows, codes, strict=True)
        )

    def _insert_codes(self, rows: Iterable[tuple[int, NDArray[np.uint8], int, int]]) -> None:
        self._connection.executemany(
            f"INSERT INTO {self._table} ({self._key}, code, last_day, conversation) VALUES (?, vec_bit(?), ?, ?)",
            ((row_id, code.tobytes(), day, conversation) for row_id, code, day, conversation in rows),
        )

    def _stored(self) -> Iterator[list[tuple[int, bytes, int]]]:
        """Batches of (id, blob, dimension) of this model and revision, by id."""
        rows = self._connection.execute(
            f"SELECT {self._key}, blob, dimension FROM {self._shelf.vectors}"
            f" WHERE model = ? AND revision = ? ORDER BY {self._key}",
            self._owner,
        )
        while batch := list(islice(rows, BATCH)):
            yield batch

    def _all_codes(self) -> Iterator[tuple[int, bytes]]:
        yield from self._connection.execute(f"SELECT {self._key}, code FROM {self._table}")

    def _matrix(self, rows: list[tuple[int, bytes]] | list[tuple[int, bytes, int]]) -> Vector:
        for row in rows:
            if len(row[1]) != self._bytes:
                raise StoreError(
                    f"the stored vector of {self._shelf.noun} {row[0]} has {len(row[1])} bytes, not {self._bytes}",
                    "embed it again",
                )
        flat = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4")
        matrix: Vector = flat.reshape(len(rows), self._dimension)
        return matrix

    def _checked(self, name: str, vector: Vector) -> Vector:
        if vector.shape != (self._dimension,):
            raise self._misshapen(name, vector)
        row = self._all_checked([name], np.asarray(vector, dtype=np.float32).reshape(1, -1))
        return row.reshape(-1)

    def _all_checked(self, names: list[str], matrix: Vector) -> Vector:
        bad = np.flatnonzero(~_usable(matrix))
        if bad.size:
            raise StoreError(
                f"the vector of {names[bad[0]]} is zero or not finite", "embed it again, or choose another embedder"
            )
        return matrix

    def _misshapen(self, name: str, vector: Vector) -> StoreError:
        return StoreError(
            f"the vector of {name} has shape {vector.shape}, not ({self._dimension},)",
            "vectors of different models do not mix: embed again with one model",
        )

    def _drop(self) -> None:
        """Drop the vec0 table, even one that has lost some of its own tables: vec0 refuses unless all are there."""
        if not self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (self._table,)).get:
            return
        for own in VEC0_TABLES:
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table}_{own} (lost)")
        with self._damage_told():
            self._connection.execute(f"DROP TABLE {self._table}")

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        """Undo everything inside when anything fails, and leave the caller's transaction as it was."""
        self._connection.execute("SAVEPOINT vector_index")
        try:
            yield
        except BaseException:
            # A full disk may have ended the whole transaction, and the savepoint with it.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO vector_index")
                self._connection.execute("RELEASE vector_index")
            raise
        self._connection.execute("RELEASE vector_index")

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Turns vec0's complaint about its own tables into one that names the remedy."""
        try:
            yield
        except apsw.SQLError as error:
            raise StoreError(f"the vector index is damaged: {error}", REBUILD_HINT) from error


def _usable(matrix: Vector) -> NDArray[np.bool_]:
    """Which rows are finite and longer than zero."""
    squares = np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64)
    return np.asarray(np.isfinite(squares) & (squares > 0), dtype=np.bool_)


def _cosines(matrix: Vector, query: Vector) -> NDArray[np.float64]:
    """Cosine of each row and the query; a row's score does not depend on its place among the rows."""
    rows, one = matrix.astype(np.float64), query.astype(np.float64)
    lengths = np.sqrt(np.square(rows).sum(axis=1)) * np.sqrt(np.square(one).sum())
    return np.asarray((rows * one).sum(axis=1) / lengths, dtype=np.float64)


def _differs(code: NDArray[np.uint8], indexed: bytes) -> bool:
    held = np.frombuffer(indexed, dtype=np.uint8)
    return held.shape != code.shape or int(np.bitwise_count(held ^ code).sum()) > CODE_SLACK_BITS
