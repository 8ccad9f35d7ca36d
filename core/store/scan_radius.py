"""How far a scan of codes has to look for the nearest so many: an estimate from a few of vec0's chunks.

A vec0 scan picks its nearest out of every chunk by passing over it once for each, so that its cost grows with ``k``
times the number of rows. Rows beyond a distance are left out before that, and cost nothing. The estimate is generous:
a scan that finds too few within it is to be made again without it, so it decides about time and never about results.
"""

from __future__ import annotations

from math import ceil

import apsw
import numpy as np
from numpy.typing import NDArray

from core.store.sight import Sight

GENEROUS = 3
"""Rows expected within the radius, for each that is wanted."""
SAMPLED = 16
"""Rows of the sample expected within it: the fewer, the more often a scan is made twice."""
FEWEST_CHUNKS = 2
WORTH = 1.25
"""A radius that would let through more than one in so many rows that are shown spares nothing."""


def radius(connection: apsw.Connection, table: str, code: NDArray[np.uint8], wanted: int, sight: Sight) -> int | None:
    """Differing bits within which at least ``wanted`` rows that ``sight`` shows are to be expected.

    ``table`` is a vec0 table of one bit vector and two integer columns, last day and conversation, in chunks as vec0
    0.1 lays them out. None where looking at everything is as well: few rows, few of them shown, or another layout.
    """
    chunks = [int(row[0]) for row in connection.execute(f"SELECT chunk_id FROM {table}_chunks ORDER BY chunk_id")]
    if len(chunks) < 2 * FEWEST_CHUNKS:
        return None
    count = max(FEWEST_CHUNKS, ceil(len(chunks) * SAMPLED / (GENEROUS * wanted)))
    if 2 * count > len(chunks):
        return None
    spread = [chunks[place * len(chunks) // count] for place in range(count)]
    distances = [_distances(connection, table, chunk, code, sight) for chunk in spread]
    if any(each is None for each in distances):
        return None
    near = np.concatenate([each for each in distances if each is not None])
    rank = ceil(GENEROUS * wanted * count / len(chunks))
    if rank * WORTH > len(near):
        return None
    return int(np.partition(near, rank)[rank])


def _distances(
    connection: apsw.Connection, table: str, chunk: int, code: NDArray[np.uint8], sight: Sight
) -> NDArray[np.int64] | None:
    """Differing bits of the shown rows of one chunk, shape (rows,)."""
    found = connection.execute(
        f"SELECT size, validity, vectors, days.data, conversations.data FROM {table}_chunks AS chunks"
        f" JOIN {table}_vector_chunks00 AS codes ON codes.rowid = chunks.chunk_id"
        f" JOIN {table}_metadatachunks00 AS days ON days.rowid = chunks.chunk_id"
        f" JOIN {table}_metadatachunks01 AS conversations ON conversations.rowid = chunks.chunk_id"
        " WHERE chunks.chunk_id = ?",
        (chunk,),
    ).fetchone()
    if found is None:
        return None
    size, validity, codes, days, conversations = found
    if (8 * len(validity), len(codes), len(days), len(conversations)) != (size, size * len(code), 8 * size, 8 * size):
        return None
    shown = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little").astype(np.bool_)
    shown &= sight.shows_each(np.frombuffer(days, "<i8"), np.frombuffer(conversations, "<i8"))
    matrix = np.frombuffer(codes, np.uint8).reshape(size, len(code))
    wide = np.uint64 if len(code) % 8 == 0 else np.uint8
    differing = np.bitwise_count(matrix.view(wide) ^ code.view(wide))
    return np.asarray(differing.sum(axis=1, dtype=np.int64)[shown])
