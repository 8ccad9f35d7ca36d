"""What one search costs among many passages, and what each addition to it costs.

Milliseconds by the clock, p50 and p95; and of this thread on the processor, p50, which other work on the machine does
not stretch: the embedder's threads are not in it.

The workspace is made up: passages of sentences of the sample, ten to a document, with vectors mixed from real ones as
in ``bench.vectors``, three questions near each, and eight names each of a skewed choice of as many names as there are
documents. Queries are sentences that went into no vector; each is embedded, which the first line tells apart. Run from
the repository: ``python -m bench.searching [passages ...]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from bench.retrieval import ASKED, CAP, HOP, MMR, OFF
from bench.vectors import QUERIES, mixed, real_sentences
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.retrieval.search import Mode, Query, Searcher
from core.settings import RetrievalSettings
from core.store.database import Database
from core.store.mentions import put_mentions
from core.store.vector_index import QUESTIONS, IndexRow, VectorIndex
from core.workspace import Workspace

PER_DOCUMENT = 10
SENTENCES = 8
NAMES = 8
PER_PASSAGE = 3
FIRST_DAY = 733_000
AS_OF = FIRST_DAY + 4000
"""Four of five passages are earlier."""
BATCH = 20_000
K = 5
ASKED_OFTEN = 25
ADDED: tuple[tuple[str, Mode, dict[str, Any]], ...] = (
    ("vector", "vector", {}), ("lexical", "lexical", {}), ("hybrid", "hybrid", {}),
    ("hybrid + questions", "hybrid", ASKED), ("hybrid + second hop", "hybrid", HOP), ("hybrid + MMR", "hybrid", MMR),
    ("hybrid + cap", "hybrid", CAP), ("all of them", "hybrid", ASKED | HOP | MMR | CAP),
)  # fmt: skip


def fill(database: Database, embedder: Embedder, sentences: list[str], vectors: np.ndarray) -> None:
    """Documents, passages, questions and names, as an import, an embedding and an asking leave them."""
    random = np.random.default_rng(5)
    count = len(vectors)
    documents = -(-count // PER_DOCUMENT)
    days = (FIRST_DAY + random.integers(0, 5000, documents)).tolist()
    chosen = random.integers(0, len(sentences), (count, SENTENCES))
    with database.write():
        source = database.insert(
            "INSERT INTO source (uid, location, format, content_hash, use, use_chosen, imported_at)"
            " VALUES ('s', 'bench', 'markdown', 'x', 'train', 0, '2024-01-01')"
        )
        database.execute_many(
            "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision, first_day,"
            " last_day, text, language, visibility, reply_to, tags, content_hash)"
            " VALUES (?, ?, ?, ?, 'writing', ?, '', '', 'day', ?, ?, '', 'en', 'public', '', '[]', ?)",
            ((n, f"d{n}", source, n, f"Note {n}", days[n - 1], days[n - 1], f"h{n}") for n in range(1, documents + 1)),
        )
        rows = [(n + 1, n // PER_DOCUMENT + 1, " ".join(sentences[place] for place in chosen[n])) for n in range(count)]
        database.execute_many(
            "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
            " VALUES (?, ?, ?, ?, 0, 900, ?, 200, ?)",
            ((n, f"c{n}", owner, n % PER_DOCUMENT, text, days[owner - 1]) for n, owner, text in rows),
        )
        database.execute_many(
            "INSERT INTO chunk_text (rowid, title, text) VALUES (?, ?, ?)",
            ((n, f"Note {owner}", text) for n, owner, text in rows),
        )
        names = np.minimum(random.zipf(1.3, (count, NAMES)), documents)
        put_mentions(database, {n + 1: {f"name {name}" for name in names[n]} for n in range(count)})
        database.execute_many(
            "INSERT INTO question (id, uid, chunk_id, position, text, writer, judge, value, kept)"
            " VALUES (?, ?, ?, ?, 'q', 'bench', 'bench', 1, 1)",
            ((n + 1, f"q{n}", n // PER_PASSAGE + 1, n % PER_PASSAGE) for n in range(count * PER_PASSAGE)),
        )
    spec = embedder.spec
    index = VectorIndex(database.connection, spec.model, spec.revision, spec.dimension)
    questions = VectorIndex(database.connection, spec.model, spec.revision, spec.dimension, QUESTIONS)
    for start in range(0, count, BATCH):
        part = range(start, min(start + BATCH, count))
        with database.write():
            index.add(IndexRow(n + 1, vectors[n], days[n // PER_DOCUMENT], 0) for n in part)
            questions.add(near(vectors, part, days, random))


def near(vectors: np.ndarray, part: range, days: list[int], random: np.random.Generator) -> Iterator[IndexRow]:
    """Questions a little off their passage's vector."""
    for n in part:
        noise = random.normal(0, 0.5 / np.sqrt(vectors.shape[1]), (PER_PASSAGE, vectors.shape[1]))
        for place, vector in enumerate((vectors[n] + noise).astype(np.float32)):
            yield IndexRow(n * PER_PASSAGE + place + 1, vector, days[n // PER_DOCUMENT], 0)


Work = Callable[[str], object]


def timed(texts: list[str], works: dict[str, Work]) -> dict[str, tuple[float, float, float]]:
    """By name, milliseconds of one call: median and 95th of a hundred by the clock, and the median on the processor.

    All take turns at each text, so that what else the machine does falls on all alike.
    """
    clock: dict[str, list[float]] = {name: [] for name in works}
    processor: dict[str, list[float]] = {name: [] for name in works}
    for turn, text in enumerate(texts):
        for name, work in works.items():
            began, thread = time.perf_counter(), time.thread_time()
            work(text)
            if turn:  # The first turn fills the caches.
                clock[name].append((time.perf_counter() - began) * 1e3)
                processor[name].append((time.thread_time() - thread) * 1e3)
    return {name: (median(clock[name]), quantiles(clock[name], n=20)[18], median(processor[name])) for name in works}


def measure(count: int, sentences: list[str], real: np.ndarray, embedder: Embedder, root: Path) -> None:
    workspace = Workspace.create(root, "Bench")
    began = time.monotonic()
    fill(workspace.database, embedder, sentences[QUERIES:], mixed(real[QUERIES:], count))
    print(f"{count:,} passages, {count * PER_PASSAGE:,} questions; made in {time.monotonic() - began:.0f} s")
    queries = sentences[:ASKED_OFTEN]
    works: dict[str, Work] = {"(embedding a query)": lambda text: embedder.embed([text])}
    for name, mode, added in ADDED:
        searcher = Searcher(workspace, lambda: embedder, RetrievalSettings(**OFF | added))
        works[name] = partial(_search, searcher, mode)
    print(f"{'search':22}{'p50 ms':>9}{'p95 ms':>9}{'processor ms':>14}")
    for name, (middle, late, own) in timed(queries, works).items():
        print(f"{name:22}{middle:9.1f}{late:9.1f}{own:14.1f}")
    print()


def _search(searcher: Searcher, mode: Mode, text: str) -> object:
    return searcher.search(Query(text, K, AS_OF, mode))


def main(*counts: int) -> None:
    embedder = load_embedder()
    sentences = real_sentences()
    real = embedder.embed(sentences)
    with tempfile.TemporaryDirectory() as folder:
        for count in counts or (10_000, 100_000):
            measure(count, sentences, real, embedder, Path(folder) / str(count))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
