"""Find passages as every stage finds them: by vector, by words, by the questions they answer, strictly before a date.

Orders are merged by reciprocal-rank fusion (Cormack et al. 2009). What is added to the two orders of the text, each by
a setting of ``[retrieval]``: the questions that passages answer, a second hop to what the best passages lead to, and
diversity among the results. The constants are chosen on the training interviews of the sample (bench/retrieval.py).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.models.embedder import Embedder
from core.retrieval.diversity import capped_order, marginal_order
from core.retrieval.embedding import open_index
from core.retrieval.graph import second_hop
from core.retrieval.lexical import LexicalOrder, Scored
from core.retrieval.question_index import open_question_index, passages_by_question
from core.retrieval.retrievers import TunedQuery, load_tuned_query
from core.settings import RetrievalSettings
from core.store.chunks import Passage, corpus_fingerprint, index_metadata, passages, vectors_of
from core.store.identity import content_uid
from core.store.questions import has_question_vectors, question_metadata, questions_fingerprint
from core.store.sight import Sight
from core.workspace import Workspace

Mode = Literal["hybrid", "vector", "lexical"]
Vector = NDArray[np.float32]

FUSION_K = 5
"""The paper's 60 is for lists of a thousand; over a few dozen it makes all ranks nearly equal."""
LEXICAL_WEIGHT = 0.7
"""What a rank of the lexical order counts, beside 1 in the vector order."""
QUESTION_WEIGHT = 0.2
"""The same of the order of the questions; chosen with those of a writer of 135M parameters."""
HOP_WEIGHT = 0.7
"""The same of the order of the second hop."""
FIRST_HOP = 5
"""How many of the best passages lead on."""
POOL = 4
"""Candidates per wanted passage that each order brings."""
VECTORS_KEPT = 256
"""Vectors of queries, the last ones."""
LARGEST_K = 4096
"""sqlite-vec refuses more."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. ``before`` is the as-of day (an ordinal), None for no limit."""

    text: str
    k: int = 5
    before: int | None = None
    mode: Mode = "hybrid"
    """``lexical`` needs no embedder: questions and likeness to what is found already then count for nothing."""
    include_undated: bool = True
    not_conversation: int = 0
    """A conversation never retrieves itself."""
    context: str = ""
    """What was said just before, which the text may lean on: its words are looked for too."""
    leaning: float = 0.0
    """What the context's vector counts, beside 1 for the text's own."""

    @property
    def words(self) -> str:
        """What is looked for word by word."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class Found:
    """One passage, best first; ``score`` is a cosine, a BM25 or a fusion score by mode and settings."""

    rank: int
    score: float
    passage: Passage


class Searcher:
    """Searches one workspace; the embedder is loaded at the first search that needs it."""

    def __init__(
        self,
        workspace: Workspace,
        load_embedder: Callable[[], Embedder],
        how: RetrievalSettings | None = None,
        tuned: TunedQuery | None = None,
    ) -> None:
        """``how`` in place of the workspace's own ``[retrieval]`` and ``tuned`` of its retriever, for comparing."""
        self._workspace = workspace
        self._load = load_embedder
        self._given = how
        self._given_tuned = tuned
        self._words = LexicalOrder(workspace)
        self._asked: dict[str, Vector] = {}
        self._tuned_asked: dict[str, Vector] = {}

    @cached_property
    def embedder(self) -> Embedder:
        return self._load()

    @cached_property
    def _tuned(self) -> TunedQuery | None:
        if self._given_tuned is not None:
            return self._given_tuned
        return load_tuned_query(self._workspace.adapters, self.embedder.spec) if self._how.query_head else None

    @property
    def _how(self) -> RetrievalSettings:
        return self._given or self._workspace.settings.retrieval

    def search(self, query: Query, accept: Callable[[Passage], bool] | None = None) -> list[Found]:
        """The best ``k`` passages that ``accept`` lets through; ties are broken by chunk id.

        With a cap per document, passages beyond it come after all others, so that there are ``k`` where there can be.
        Raises ModelError for a trained retriever that does not fit.
        """
        how = self._how
        pool = min(max(query.k * POOL, 20), LARGEST_K)
        while True:
            scored = self._ranked(query, pool)
            kept = self._let_through(query, scored, accept)
            if len(kept) >= query.k or pool >= LARGEST_K or len(scored) < pool:
                break
            pool = min(pool * 4, LARGEST_K)
        if how.second_hop:
            kept = self._hop(query, kept, pool, accept)
        if how.per_document or how.mmr_lambda < 1:
            kept = self._spread(query, kept)
        return [Found(rank, score, passage) for rank, (score, passage) in enumerate(kept[: query.k], 1)]

    def _let_through(
        self, query: Query, scored: Scored, accept: Callable[[Passage], bool] | None
    ) -> list[tuple[float, Passage]]:
        """The passages that may be seen, in their order, whichever way led to them."""
        sight = _sight(query)
        found = passages(self._workspace.database, [chunk_id for chunk_id, _ in scored])
        return [
            (score, passage)
            for chunk_id, score in scored
            if (passage := found.get(chunk_id)) is not None
            and passage.use != "none"
            and sight.shows(passage.chunk.last_day, passage.conversation_id)
            and (accept is None or accept(passage))
        ]

    def _ranked(self, query: Query, pool: int) -> Scored:
        words = self._begin_words(query, pool)  # In a large corpus they are looked for beside the vectors.
        orders = []
        if query.mode != "lexical":
            orders.append((1.0, self._by_vector(query, pool)))
        if query.mode != "vector":
            orders.append((LEXICAL_WEIGHT, words()))
        if self._how.questions and query.mode != "lexical":
            orders.append((QUESTION_WEIGHT, self._by_questions(query, pool)))
        if len(orders) == 1 and not self._how.second_hop:
            return orders[0][1]
        return _fused(orders)

    def _by_vector(self, query: Query, pool: int) -> Scored:
        if not query.text.strip():
            return []
        hits = open_index(self._workspace, self.embedder).search(
            _together(query, self._tuned_vector),
            pool,
            before=query.before,
            include_undated=query.include_undated,
            not_conversation=query.not_conversation,
        )
        return [(hit.id, hit.score) for hit in hits]

    def _by_questions(self, query: Query, pool: int) -> Scored:
        """By the nearest question of each passage, for the plain query: a retriever is trained toward passages."""
        spec = self.embedder.spec
        if not query.text.strip() or not has_question_vectors(self._workspace.database, spec.model, spec.revision):
            return []
        return passages_by_question(
            self._workspace,
            self.embedder,
            _together(query, self._query_vector),
            pool,
            before=query.before,
            include_undated=query.include_undated,
            not_conversation=query.not_conversation,
        )

    def prepare(self, query: Query) -> None:
        """Embed what will be searched for. Of all that a search does, this alone may happen on another thread."""
        if query.mode != "lexical" and query.text.strip():
            _together(query, self._tuned_vector)

    def read(self, text: str) -> None:
        """Have the vector of a text at hand that a query will lean on."""
        self._tuned_vector(text)

    def _tuned_vector(self, text: str) -> Vector:
        """The query as the trained retriever reads it; the plain one where none is in use."""
        plain, tuned = self._query_vector(text), self._tuned
        return plain if tuned is None else _kept(self._tuned_asked, text, lambda: tuned.vector(text, plain))

    def _query_vector(self, text: str) -> Vector:
        """The last vectors are kept: every order of one search reads the same one."""
        return _kept(self._asked, text, lambda: self.embedder.embed([text])[0])

    def _begin_words(self, query: Query, pool: int) -> Callable[[], Scored]:
        if query.mode == "vector":
            return list
        return self._words.begin(query.words, pool, query.before, query.include_undated, query.not_conversation)

    def _hop(
        self,
        query: Query,
        kept: list[tuple[float, Passage]],
        pool: int,
        accept: Callable[[Passage], bool] | None,
    ) -> list[tuple[float, Passage]]:
        """The same and what the best of them lead to, merged as one more order."""
        first = [passage.chunk.id for _, passage in kept[:FIRST_HOP]]
        reached = second_hop(self._workspace.database, first, _sight(query))[:pool]
        if not reached:
            return kept
        there = {passage.chunk.id: (score, passage) for score, passage in kept}
        gained = _fused([(HOP_WEIGHT, reached)])
        fresh = self._let_through(query, [each for each in gained if each[0] not in there], accept)
        merged = {passage.chunk.id: (score, passage) for score, passage in fresh}
        gain = dict(gained)
        merged |= {each: (score + gain.get(each, 0.0), passage) for each, (score, passage) in there.items()}
        return sorted(merged.values(), key=lambda item: (-item[0], item[1].chunk.id))

    def _spread(self, query: Query, kept: list[tuple[float, Passage]]) -> list[tuple[float, Passage]]:
        """The same in an order of more variety."""
        by_id = {passage.chunk.id: (score, passage) for score, passage in kept}
        order: Sequence[int] = list(by_id)
        if self._how.mmr_lambda < 1 and query.mode != "lexical":
            vectors = self._vectors(order)
            scores = {chunk_id: score for chunk_id, (score, _) in by_id.items()}
            order = marginal_order(scores, vectors, self._how.mmr_lambda, len(order))
        owners = {chunk_id: _owner(passage) for chunk_id, (_, passage) in by_id.items()}
        return [by_id[chunk_id] for chunk_id in capped_order(order, owners, self._how.per_document)]

    def _vectors(self, ids: Sequence[int]) -> dict[int, Vector]:
        spec = self.embedder.spec
        stored = vectors_of(self._workspace.database, ids, spec.model, spec.revision)
        return {chunk_id: np.frombuffer(blob, dtype="<f4") for chunk_id, blob in stored.items()}

    def fingerprint(self) -> str:
        """A hash of all that decides what a query finds: embedder, passages, settings, and, where they count, questions
        and trained retriever.

        Loads the embedder. Raises ModelError for a retriever that does not fit.
        """
        database, spec = self._workspace.database, self.embedder.spec
        return content_uid(
            [spec.model, spec.revision],
            corpus_fingerprint(database),
            self._how.model_dump(mode="json"),
            questions_fingerprint(database) if self._how.questions else "",
            self._tuned.identity if self._tuned else "",
        )


def rebuild_index(workspace: Workspace, embedder: Embedder) -> int:
    """Make the indexes of passages and questions again from the stored vectors. Returns how many vectors they hold."""
    database = workspace.database
    index, questions = open_index(workspace, embedder), open_question_index(workspace, embedder)
    with database.write():
        return index.rebuild(index_metadata(database)) + questions.rebuild(question_metadata(database))


def check_index(workspace: Workspace, embedder: Embedder) -> list[str]:
    """What is wrong with the indexes, one sentence each."""
    problems = open_index(workspace, embedder).check()
    return problems + [f"questions: {problem}" for problem in open_question_index(workspace, embedder).check()]


def _sight(query: Query) -> Sight:
    return Sight(query.before, query.include_undated, query.not_conversation)


def _together(query: Query, read: Callable[[str], Vector]) -> Vector:
    """The direction of a query: its text's, turned toward what it leans on."""
    own = read(query.text)
    if not (query.context.strip() and query.leaning):
        return own
    both = own + np.float32(query.leaning) * read(query.context)
    return np.asarray(both / np.linalg.norm(both), dtype=np.float32)


def _kept(known: dict[str, Vector], text: str, make: Callable[[], Vector]) -> Vector:
    """What was made for a text before, or is made now."""
    vector = known.get(text)
    if vector is None:
        vector = make()
        if len(known) >= VECTORS_KEPT:
            known.clear()
        known[text] = vector
    return vector


def _fused(orders: Iterable[tuple[float, Scored]]) -> Scored:
    fused: dict[int, float] = {}
    for weight, order in orders:
        for rank, (chunk_id, _) in enumerate(order, 1):
            fused[chunk_id] = fused.get(chunk_id, 0.0) + weight / (FUSION_K + rank)
    return _best_first(fused.items())


def _best_first(scored: Iterable[tuple[int, float]]) -> Scored:
    return sorted(scored, key=lambda item: (-item[1], item[0]))


def _owner(passage: Passage) -> Hashable:
    """What a cap counts by: a document, or a whole conversation."""
    return (
        ("conversation", passage.conversation_id)
        if passage.conversation_id
        else ("document", passage.chunk.document_id)
    )
