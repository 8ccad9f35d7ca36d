"""How fast and how well the vector index searches, beside a plain vec0 float table and, where installed, chroma.

All see the same vectors: real sentence embeddings, mixed to the number asked for (a convex combination of two or three
real ones, plus noise a seventh as long, normalized). Queries are real embeddings that went into no mixture. The plain
table's connection has the same page cache and memory map as ours. Run from the repository:
``python -m bench.vectors [count ...]``.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import numpy as np
import sqlite_vec

from core.models.load_embedder import load_embedder
from core.store.vector_index import IndexRow, VectorIndex

ROOT = Path(__file__).parents[1]
DIMENSION = 384
SENTENCES = 1500
QUERIES = 60
NOISE = 0.15
K = 10
DEEP = 80
"""What a talk looks for; only its recall is measured."""
ROUNDS = 3
PAGE_SIZES = (4096, 8192)
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "mmap_size = 1073741824", "cache_size = -262144")


def real_sentences() -> list[str]:
    """Sentences of the sample targets, all different, in a settled order."""
    text = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "data").glob("*/vault/*.md")))
    for file in sorted((ROOT / "data").glob("*/interviews/*.json")):
        text += "\n".join(re.findall(r'"((?:[^"\\]|\\.){40,})"', file.read_text("utf-8")))
    sentences = sorted({s.strip() for s in re.split(r"(?<=[.!?])\s+|\n", text) if 30 < len(s.strip()) < 300})
    order = np.random.default_rng(0).permutation(len(sentences))[:SENTENCES]
    return [sentences[place] for place in order]


def mixed(real: np.ndarray, count: int) -> np.ndarray:
    random = np.random.default_rng(1)
    weights = random.dirichlet([1, 1, 1], count)
    weights[random.random(count) < 0.5, 2] = 0
    vectors = np.einsum("nk,nkd->nd", weights, real[random.integers(0, len(real), (count, 3))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors += random.normal(0, NOISE / np.sqrt(DIMENSION), vectors.shape)
    found: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def connect(file: Path, page_size: int) -> apsw.Connection:
    connection = apsw.Connection(str(file))
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def rate(connection: apsw.Connection, count: int, write: Callable[[], object]) -> float:
    """Rows per second of one transaction."""
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    write()
    connection.execute("COMMIT")
    return count / (time.perf_counter() - began)


def chroma_rate(vectors: np.ndarray) -> str:
    try:
        import chromadb
    except ImportError:
        return "not installed"
    with tempfile.TemporaryDirectory() as folder:
        collection = chromadb.PersistentClient(folder).create_collection("bench", embedding_function=None)
        part, began = vectors[:20_000], time.perf_counter()
        for start in range(0, len(part), 2_000):
            rows = part[start : start + 2_000]
            collection.add(ids=[str(start + place) for place in range(len(rows))], embeddings=rows)
        return f"{len(part) / (time.perf_counter() - began):,.0f}"


def compare(real: np.ndarray, count: int, page_size: int, folder: Path) -> None:
    queries, vectors = real[:QUERIES], mixed(real[QUERIES:], count)
    plain, ours = (connect(folder / f"{name}-{count}-{page_size}.db", page_size) for name in ("plain", "ours"))
    plain.execute("CREATE VIRTUAL TABLE plain USING vec0(id INTEGER PRIMARY KEY, vector float[384], day INTEGER)")
    index = VectorIndex(ours, "bench", "1", DIMENSION)
    days = np.random.default_rng(2).integers(0, 1000, count).tolist()
    rows = [IndexRow(place, vector, days[place], 0) for place, vector in enumerate(vectors)]
    inserted = [(row.id, row.vector.tobytes(), row.last_day) for row in rows]
    plain_rate = rate(plain, count, lambda: plain.executemany("INSERT INTO plain VALUES (?, ?, ?)", inserted))
    our_rate = rate(ours, count, lambda: index.add(rows))
    print(f"{count:,} vectors; inserts/s: plain vec0 {plain_rate:,.0f}, simulee {our_rate:,.0f} (vectors and index), "
          f"chroma {chroma_rate(vectors)}; pages of {page_size:,} bytes")  # fmt: skip
    print(f"{'':24} {'plain ms':>9} {'simulee ms':>11} {'ratio':>7} {'recall@10':>10} {f'recall@{DEEP}':>10}")
    for name, before in (("all", None), ("5% pass the filter", 50)):
        visible = np.array([before is None or day < before for day in days])
        truths = np.argsort(np.where(visible, -(queries @ vectors.T), 2), axis=1)[:, :DEEP]
        asked = "SELECT id FROM plain WHERE vector MATCH ? AND k = ?" + (
            "" if before is None else f" AND day < {before}"
        )
        # All queries of one, then all of the other, and again: each finds the caches as its own last query left them.
        theirs_each, mine_each = [[9.0] * QUERIES for _ in range(2)]
        found = 0
        for _ in range(ROUNDS):
            for place, query in enumerate(queries):
                began = time.perf_counter()
                list(plain.execute(asked, (query.tobytes(), K)))
                theirs_each[place] = min(theirs_each[place], time.perf_counter() - began)
            found = 0
            for place, (query, truth) in enumerate(zip(queries, truths.tolist(), strict=True)):
                began = time.perf_counter()
                hits = index.search(query, K, before=before)
                mine_each[place] = min(mine_each[place], time.perf_counter() - began)
                found += len(set(truth[:K]) & {hit.id for hit in hits})
        theirs, mine = (statistics.median(each) * 1e3 for each in (theirs_each, mine_each))
        deep = sum(
            len(set(truth) & {hit.id for hit in index.search(query, DEEP, before=before)})
            for query, truth in zip(queries, truths.tolist(), strict=True)
        )
        print(f"{name:24} {theirs:9.2f} {mine:11.2f} {mine / theirs:7.2f} {found / K / QUERIES:10.3f}"
              f" {deep / DEEP / QUERIES:10.3f}")  # fmt: skip
    size = {name: (folder / f"{name}-{count}-{page_size}.db").stat().st_size / 1e6 for name in ("plain", "ours")}
    print(f"database: plain {size['plain']:,.0f} MB, simulee {size['ours']:,.0f} MB\n")


def main(*counts: int) -> None:
    real = load_embedder().embed(real_sentences())
    print(f"mixed from {len(real) - QUERIES} real embeddings, {QUERIES} queries, k = {K}")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts or (10_000, 100_000):
            for page_size in PAGE_SIZES:
                compare(real, count, page_size, Path(folder))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
