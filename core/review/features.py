"""Every memory described in numbers, from what is stored: what a model of the person's verdicts can go by.

The figures are those a reviewer could have seen or felt: what the judges and the retriever said, how long and how old
the passage is, of which kind, how close it is to what was said in that exchange, and what it is about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.store import learned as store
from core.store.database import Database

KINDS = ("writing", "journal", "profile", "exchange")
TOPICS = 8
"""Directions of the passages' vectors along which they differ most."""
TOPIC = "topic "
TOPIC_SAMPLE = 2_000
"""Passages that the directions are taken from."""
FARTHEST = 5.0
"""Standard deviations; a figure farther out is drawn in."""
_LONG_WORD = re.compile(r"\w{4,}")
"""Shorter words say little of a subject."""
BATCH = 8_192
PAUSE = 0.001
"""Seconds."""

Matrix = NDArray[np.float32]
Page = TypeVar("Page")


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """All memories, by memory id. Each column has mean 0, and variance 1 or a topic's share of it; what is not known is
    0, the mean."""

    memories: NDArray[np.int64]
    """Shape (n,)."""
    exchanges: NDArray[np.int64]
    """Shape (n,)."""
    names: tuple[str, ...]
    """Of the columns; what is the same for every memory is left out."""
    matrix: Matrix
    """Shape (n, names)."""


def read_features(db: Database, embedder: str) -> FeatureTable:
    """Describe every memory. ``embedder`` names the model whose stored vectors are used where there are several."""
    pages = [np.array(rows, dtype=np.float64) for rows in giving_way(store.feature_rows(db))]
    raw = np.concatenate(pages) if pages else np.zeros((0, len(store.FEATURES)))
    memories, exchanges, chunks = (raw[:, column].astype(np.int64) for column in range(3))
    question, answer, score, rank, length, tokens, passage_day, asked_day, kind = raw[:, 3:].T
    dated = (passage_day >= 0) & (asked_day >= 0)
    years = np.where(dated, np.log1p(np.maximum(0.0, asked_day - passage_day) / 365.25), np.nan)
    columns: dict[str, NDArray[Any]] = {
        "question": question,
        "question unknown": np.isnan(question),
        "answer": answer,
        "answer unknown": np.isnan(answer),
        "retriever score": score,
        "rank": np.log1p(np.maximum(0.0, rank)),
        "memory length": np.log1p(length),
        "passage length": np.log1p(np.maximum(0.0, tokens)),
        "years between": years,
        "undated": ~dated,
        "shared words": _shared_words(db, memories),
    }
    columns |= {f"from {name}": kind == place for place, name in enumerate(KINDS)}
    columns |= _by_vectors(db, embedder, chunks, exchanges)
    return FeatureTable(memories, exchanges, *_standardized(columns, len(raw)))


def _standardized(columns: dict[str, NDArray[Any]], count: int) -> tuple[tuple[str, ...], Matrix]:
    names, kept = [], []
    for name, column in columns.items():
        values = np.asarray(column, dtype=np.float64)
        known = np.isfinite(values)
        spread = float(values[known].std()) if known.any() else 0.0
        if spread > 1e-9:
            scaled = (values - values[known].mean()) / spread
            # What is penalized is a weight: the topics together get about the room of one other figure, or with a few
            # dozen verdicts they would drown the rest.
            scaled = scaled / np.sqrt(TOPICS) if name.startswith(TOPIC) else scaled
            names.append(name)
            kept.append(np.where(known, np.clip(scaled, -FARTHEST, FARTHEST), 0.0).astype(np.float32))
    return tuple(names), np.stack(kept, axis=1) if kept else np.zeros((count, 0), np.float32)


def giving_way(pages: Iterable[Page]) -> Iterator[Page]:
    """Pages of rows with a pause before each.

    A thread that works through many rows lets others have the interpreter only every few milliseconds, and a key in
    the workbench needs it a dozen times; in the pauses they have it at once.
    """
    for page in pages:
        time.sleep(PAUSE)
        yield page


def _shared_words(db: Database, memories: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each memory, which share of its question's words it holds, also as parts of longer ones; not known for a
    question without words."""
    questions = store.asked_questions(db)
    asked: dict[int, tuple[str, ...]] = {}
    ids, shares = [], []
    for page in giving_way(store.memory_words(db)):
        for memory, exchange, text in page:
            if exchange not in asked:
                words = _LONG_WORD.findall(questions.get(exchange, "").casefold())
                asked[exchange] = tuple(dict.fromkeys(words))
            told = text.casefold()
            held = sum([word in told for word in asked[exchange]])
            ids.append(memory)
            shares.append(held / len(asked[exchange]) if asked[exchange] else np.nan)
    known = dict(zip(ids, shares, strict=True))
    return np.array([known.get(memory, np.nan) for memory in memories.tolist()])


def _by_vectors(
    db: Database, embedder: str, chunks: NDArray[np.int64], exchanges: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Likeness of passage and exchange, and what the passage is about.

    Of an exchange that is recalled from later, question and answer are stored as passages of their own: their vectors
    stand for it. What has no stored vector is not known.
    """
    kind = store.vectors_kind(db, embedder)
    if kind is None:
        return {}
    model, revision, dimension = kind
    ids: list[int] = []
    owners: list[int] = []
    vectors: list[NDArray[np.float16]] = []
    for page in giving_way(store.vectors_in_use(db, model, revision, dimension)):
        ids += [row[0] for row in page]
        owners += [row[1] for row in page]
        values = np.frombuffer(b"".join([row[2] for row in page]), np.float32).reshape(len(page), dimension)
        # Half precision for the while: a hundred thousand vectors take 75 MB.
        vectors.append(values.astype(np.float16))
    if not ids:
        return {}
    known, owned, stored = np.array(ids), np.array(owners), np.concatenate(vectors)
    of_passage = _places(known, chunks)
    columns = _topics(stored, of_passage)
    columns["likeness"] = _likeness(stored, of_passage, owned, exchanges)
    return columns


def _places(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each wanted id stands among the ascending known ones, -1 where it does not."""
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, at, -1)


def _topics(stored: NDArray[np.float16], of_passage: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The passages' coordinates along the directions in which they differ most (principal components)."""
    used = np.unique(of_passage[of_passage >= 0])
    if len(used) <= TOPICS:
        return {}
    chosen = used[np.linspace(0, len(used) - 1, min(len(used), TOPIC_SAMPLE)).astype(np.int64)]
    sample = stored[chosen].astype(np.float32)
    mean = sample.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    basis = directions[:, ::-1][:, :TOPICS]
    # An eigenvector's sign is free: the largest part is made positive, so that the same corpus gives the same figures.
    basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
    coordinates = np.full((len(stored), TOPICS), np.nan)
    for start in range(0, len(stored), BATCH):
        coordinates[start : start + BATCH] = (stored[start : start + BATCH].astype(np.float32) - mean) @ basis
    of_memory = np.where((of_passage >= 0)[:, None], coordinates[of_passage], np.nan)
    return {f"{TOPIC}{number + 1}": of_memory[:, number] for number in range(TOPICS)}


def _likeness(
    stored: NDArray[np.float16], of_passage: NDArray[np.int64], owned: NDArray[np.int64], exchanges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cosine of each memory's passage and the first passage of its exchange."""
    own = np.flatnonzero(owned > 0)
    owners, first = np.unique(owned[own], return_index=True)
    cosines = np.full(len(exchanges), np.nan)
    if not len(owners):
        return cosines
    at = _places(owners, exchanges)
    of_exchange = np.where(at >= 0, own[first[at]], -1)
    both = np.flatnonzero((of_passage >= 0) & (of_exchange >= 0))
    for start in range(0, len(both), BATCH):
        part = both[start : start + BATCH]
        one, other = (stored[places[part]].astype(np.float32) for places in (of_passage, of_exchange))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines[part] = np.einsum("ij,ij->i", one, other) / np.maximum(lengths, 1e-9)
    return cosines
