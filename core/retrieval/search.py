"""Find passages as every stage finds them: vector, lexical, or both merged, strictly before a date.

Hybrid search is reciprocal-rank fusion (Cormack et al. 2009) of the two orders; its constants are chosen on the
training interviews of the sample (bench/retrieval.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.models.embedder import Embedder
from core.retrieval.embedding import open_index
from core.store.chunks import Passage, index_metadata, lexical_search, passages
from core.workspace import Workspace

Mode = Literal["hybrid", "vector", "lexical"]

FUSION_K = 5
"""The paper's 60 is for lists of a thousand; over a few dozen it makes all ranks nearly equal."""
LEXICAL_WEIGHT = 0.7
"""What a rank of the lexical order counts, beside 1 in the vector order."""
FUNCTION_WORDS = frozenset(
    """
    a about after again against all am an and any are aren as at be because been before being below between both but
    by can could couldn d did didn do does doesn doing don down during each every few for from further had hadn has
    hasn have haven having he her here hers him his how i if in into is isn it its itself just let ll m me more most my
    no nor not now of off on once one only or other our out over own re s same shall she should shouldn so some still
    such t than that the their them then there these they this those through to too under until up us ve very was wasn
    we were weren what when where which while who whom whose why will with would wouldn you your yours
    """.split()  # noqa: SIM905
)
"""English words that shape a question and say nothing of its subject; the lexical search leaves them out."""
POOL = 4
"""Candidates per wanted passage that each order brings."""
LARGEST_K = 4096
"""sqlite-vec refuses more."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. ``before`` is the as-of day (an ordinal), None for no limit."""

    text: str
    k: int = 5
    before: int | None = None
    mode: Mode = "hybrid"
    include_undated: bool = True
    not_conversation: int = 0
    """A conversation never retrieves itself."""


@dataclass(frozen=True, slots=True)
class Found:
    """One passage, best first; ``score`` is a cosine, a BM25 or a fusion score by mode."""

    rank: int
    score: float
    passage: Passage


class Searcher:
    """Searches one workspace; the embedder is loaded at the first search that needs it."""

    def __init__(self, workspace: Workspace, load_embedder: Callable[[], Embedder]) -> None:
        self._workspace = workspace
        self._load = load_embedder
        self._embedder: Embedder | None = None

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            self._embedder = self._load()
        return self._embedder

    def search(self, query: Query, accept: Callable[[Passage], bool] | None = None) -> list[Found]:
        """The best ``k`` passages that ``accept`` lets through; ties are broken by chunk id."""
        database = self._workspace.database
        pool = min(max(query.k * POOL, 20), LARGEST_K)
        while True:
            scored = self._ranked(query, pool)
            found = passages(database, [chunk_id for chunk_id, _ in scored])
            kept = [
                (score, found[chunk_id])
                for chunk_id, score in scored
                if chunk_id in found and found[chunk_id].use != "none" and (accept is None or accept(found[chunk_id]))
            ]
            if len(kept) >= query.k or pool >= LARGEST_K or len(scored) < pool:
                break
            pool = min(pool * 4, LARGEST_K)
        return [Found(rank, score, passage) for rank, (score, passage) in enumerate(kept[: query.k], 1)]

    def _ranked(self, query: Query, pool: int) -> list[tuple[int, float]]:
        if query.mode == "vector":
            return self._by_vector(query, pool)
        if query.mode == "lexical":
            return self._by_words(query, pool)
        fused: dict[int, float] = {}
        for weight, order in ((1.0, self._by_vector(query, pool)), (LEXICAL_WEIGHT, self._by_words(query, pool))):
            for rank, (chunk_id, _) in enumerate(order, 1):
                fused[chunk_id] = fused.get(chunk_id, 0.0) + weight / (FUSION_K + rank)
        return sorted(fused.items(), key=lambda item: (-item[1], item[0]))

    def _by_vector(self, query: Query, pool: int) -> list[tuple[int, float]]:
        if not query.text.strip():
            return []
        index = open_index(self._workspace, self.embedder)
        hits = index.search(
            self.embedder.embed([query.text])[0],
            pool,
            before=query.before,
            include_undated=query.include_undated,
            not_conversation=query.not_conversation,
        )
        return [(hit.chunk_id, hit.score) for hit in hits]

    def _by_words(self, query: Query, pool: int) -> list[tuple[int, float]]:
        words = dict.fromkeys(re.findall(r"\w+", query.text.casefold()))
        if not words:
            return []
        # A query of nothing else keeps its function words.
        match = " OR ".join(f'"{word}"' for word in [word for word in words if word not in FUNCTION_WORDS] or words)
        return lexical_search(
            self._workspace.database, match, pool, query.before, query.include_undated, query.not_conversation
        )


def rebuild_index(workspace: Workspace, embedder: Embedder) -> int:
    """Make the vector index again from the stored vectors. Returns how many it holds."""
    index = open_index(workspace, embedder)
    with workspace.database.write():
        return index.rebuild(index_metadata(workspace.database))
