"""What training brings: how well the right passages are found, before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from core.models.embedder import EmbedderSpec
from core.retrieval.search import Query, Searcher
from core.settings import RetrievalSettings
from core.store.chunks import Passage, index_metadata, passages, vectors_of
from core.store.database import Database
from core.store.sight import Sight
from core.training.retriever.examples import Example

CUTS = (1, 5, 10)
BLOCK = 512
Ranks = list[int]
"""From 1, of each passage that is to be found."""


@dataclass(frozen=True)
class PassageSpace:
    """Every passage that may be trained on, as vectors. At a million passages of MiniLM it takes 1.5 GB."""

    ids: NDArray[np.int64]
    """Ascending chunk ids."""
    vectors: NDArray[np.float32]
    """Unit vectors, shape (passages, dimension)."""
    last_days: NDArray[np.int64]
    conversations: NDArray[np.int64]

    def places(self, ids: Sequence[int]) -> NDArray[np.int64]:
        """Rows of chunk ids, all of which must be there."""
        return np.searchsorted(self.ids, np.asarray(ids, dtype=np.int64))

    def ranks(self, query: NDArray[np.float32], wanted: Sequence[int], sight: Sight) -> Ranks:
        """The rank of each wanted chunk among all that are seen, nearest first, then by id."""
        scores = self.vectors @ query
        scores[~sight.shows_each(self.last_days, self.conversations)] = -np.inf
        at = self.places(wanted)
        return [
            1 + int(((scores > scores[place]) | ((scores == scores[place]) & (self.ids < self.ids[place]))).sum())
            for place in at
        ]


def read_space(db: Database, spec: EmbedderSpec, accept: Callable[[Passage], bool]) -> PassageSpace:
    """The passages that ``accept`` lets through and that have a vector of this embedder."""
    known = sorted(index_metadata(db))
    kept: list[tuple[int, int, int]] = []
    blobs: list[bytes] = []
    for start in range(0, len(known), BLOCK):
        rows = known[start : start + BLOCK]
        ids = [row[0] for row in rows]
        found, stored = passages(db, ids), vectors_of(db, ids, spec.model, spec.revision)
        usable = [row for row in rows if row[0] in stored and row[0] in found and accept(found[row[0]])]
        kept += usable
        blobs += [stored[row[0]] for row in usable]
    vectors = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(kept), spec.dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = np.array(kept, dtype=np.int64).reshape(len(kept), 3).T
    return PassageSpace(
        columns[0], np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32), columns[1], columns[2]
    )


def reciprocal_ranks(
    space: PassageSpace, wanted: Sequence[Sequence[int]], queries: NDArray[np.float32], sights: Sequence[Sight]
) -> list[float]:
    """What ``found_by_vector`` takes the mean of for its MRR, question by question."""
    return [_reciprocal(space.ranks(*each)) for each in zip(queries, wanted, sights, strict=True) if each[1]]


def found_by_vector(
    space: PassageSpace, wanted: Sequence[Sequence[int]], queries: NDArray[np.float32], sights: Sequence[Sight]
) -> dict[str, float] | None:
    """recall@k and MRR by vector alone, among all passages that each question sees; None without such questions."""
    return summed([space.ranks(*each) for each in zip(queries, wanted, sights, strict=True) if each[1]])


def found_by_search(
    searcher: Searcher,
    how: RetrievalSettings,
    accept: Callable[[Passage], bool],
    examples: Sequence[Example],
    wanted: Sequence[Sequence[int]],
    sights: Sequence[Sight],
) -> dict[str, float] | None:
    """The same as the workspace searches, with all that it merges."""
    rows = []
    for example, right, sight in zip(examples, wanted, sights, strict=True):
        if right:
            query = Query(
                example.exchange.question, max(CUTS), sight.before, how.mode, sight.include_undated,
                sight.not_conversation,
            )  # fmt: skip
            place = {hit.passage.chunk.id: hit.rank for hit in searcher.search(query, accept)}
            rows.append([place.get(each, max(CUTS) + 1) for each in right])
    return summed(rows)


def summed(ranks: Sequence[Ranks]) -> dict[str, float] | None:
    """recall@k: the share of what is to be found that is among the first k, averaged over questions; MRR: the
    reciprocal rank of the first of ten that counts. None without questions."""
    if not ranks:
        return None
    recalls = {f"recall@{cut}": round(fmean(fmean(rank <= cut for rank in row) for row in ranks), 4) for cut in CUTS}
    return {**recalls, "mrr": round(fmean(map(_reciprocal, ranks)), 4), "questions": len(ranks)}


def _reciprocal(ranks: Ranks) -> float:
    first = min(ranks)
    return 1 / first if first <= max(CUTS) else 0.0
