"""Before and after: the right passages of validation and training questions, and what to make of the difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.models.embedder import Embedder
from core.retrieval.retrievers import TunedQuery
from core.retrieval.search import Searcher
from core.scoring.bootstrap import FEWEST_CLUSTERS, ClusterRatio, Interval
from core.settings import RetrievalSettings
from core.store.chunks import Passage
from core.store.sight import Sight
from core.training.retriever.examples import TRAIN, VALIDATION, Example
from core.training.retriever.figures import PassageSpace, found_by_search, found_by_vector, reciprocal_ranks
from core.training.retriever.fitting import QueryModel
from core.training.retriever.lessons import Scores, right_passages
from core.training.retriever.preference import FLAT
from core.workspace import Workspace


class Measure:
    """How well the right passages of the examples are found."""

    def __init__(
        self,
        workspace: Workspace,
        embedder: Embedder,
        plain: RetrievalSettings,
        accept: Callable[[Passage], bool],
        space: PassageSpace,
        examples: Sequence[Example],
        sights: Sequence[Sight],
        scores: Scores,
    ) -> None:
        """``plain`` are the workspace's settings without a trained retriever."""
        self._workspace, self._embedder, self._plain, self._accept = workspace, embedder, plain, accept
        self._space, self._examples, self._sights = space, examples, sights
        self._wanted: dict[str, list[list[int]]] = {}
        self.right: dict[str, str] = {}
        """Split → what is right to find in it, in words."""
        for split in (VALIDATION, TRAIN):
            self._wanted[split], self.right[split] = right_passages(examples, split, scores)

    def turned(self, tuned: TunedQuery, plain: NDArray[np.float32]) -> NDArray[np.float32]:
        """The questions as a trained retriever reads them, shape (questions, dimension)."""
        texts = [example.exchange.question for example in self._examples]
        return np.stack([tuned.vector(text, vector) for text, vector in zip(texts, plain, strict=True)])

    def of(self, tuned: TunedQuery | None, queries: NDArray[np.float32]) -> dict[str, Any]:
        """The figures by vector of each split, and ``searched``: those of validation with all that a search merges.

        ``queries`` are the vectors that ``tuned``, or with None the embedder, gives the questions. A split without
        anything right to find has None.
        """
        searched = None
        if self._plain.mode != "lexical":
            searcher = Searcher(self._workspace, lambda: self._embedder, self._plain, tuned)
            wanted = self._wanted[VALIDATION]
            searched = found_by_search(searcher, self._plain, self._accept, self._examples, wanted, self._sights)
        return {
            "validation": found_by_vector(self._space, self._wanted[VALIDATION], queries, self._sights),
            "training": found_by_vector(self._space, self._wanted[TRAIN], queries, self._sights),
            "searched": searched,
        }

    def gain(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> Interval | None:
        """After minus before in validation MRR by vector, with the interval of a paired bootstrap over the questions.

        Both are vectors of all questions. None where nothing validates.
        """
        found = [
            ClusterRatio.of(
                [(each, 1) for each in reciprocal_ranks(self._space, self._wanted[VALIDATION], queries, self._sights)]
            )
            for queries in (after, before)
        ]
        return found[0].difference(found[1]) if len(found[0].numerator) else None

    def validation_mrr(self, model: QueryModel, batch: int) -> float | None:
        """Of a model in training, by vector; None where nothing validates."""
        rows = [row for row, wanted in enumerate(self._wanted[VALIDATION]) if wanted]
        if not rows:
            return None
        model.train(False)
        with torch.no_grad():
            parts = [model.vectors(rows[start : start + batch]).cpu() for start in range(0, len(rows), batch)]
            queries = torch.cat(parts).numpy()
        found = found_by_vector(
            self._space, [self._wanted[VALIDATION][row] for row in rows], queries, [self._sights[row] for row in rows]
        )
        return None if found is None else found["mrr"]


def verdict(
    before: dict[str, Any], after: dict[str, Any], gain: Interval | None, best: int, flat: float | None
) -> tuple[bool, str]:
    """Whether to adopt what was trained, and words for it.

    ``gain`` is that in validation MRR by vector, None where nothing validates; ``best`` the step that is kept; ``flat``
    the mean entropy of the language model's target as a share of the largest. Only a gain whose interval is above 0 is
    one, and over a few questions no interval means anything. The step was chosen by the loss on the same questions, so
    the interval still errs on the good side. What is found better by vector and worse as one searches is not adopted.
    """
    if gain is None:
        return False, "nothing validates: whether it finds better is not known"
    questions = before["validation"]["questions"]
    said = f"validation MRR {_change(before, after, 'validation')} on {questions} questions"
    teacher = "; the language model prefers no passage: its target is flat" if (flat or 0) > FLAT else ""
    if not best:
        return False, f"no gain: no step lowered the validation loss, so nothing was learned{teacher}"
    if gain.value <= 0:
        return False, f"no gain: {said}{teacher}"
    said += f", {gain.value:+.3f} (95% interval {gain.low:+.3f} to {gain.high:+.3f})"
    if before["searched"] and after["searched"]["mrr"] < before["searched"]["mrr"]:
        return False, f"no gain: {said} by vector, but {_change(before, after, 'searched')} as you search{teacher}"
    if questions < FEWEST_CLUSTERS:
        return False, f"no gain that fewer than {FEWEST_CLUSTERS} questions could show: {said}{teacher}"
    if gain.low <= 0:
        return False, f"no gain that {questions} questions could show: {said}{teacher}"
    return True, f"gain: {said}{teacher}"


def _change(before: dict[str, Any], after: dict[str, Any], part: str) -> str:
    return f"{before[part]['mrr']:.3f} → {after[part]['mrr']:.3f}"
