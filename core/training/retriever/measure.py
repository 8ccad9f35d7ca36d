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
from core.settings import RetrievalSettings
from core.store.chunks import Passage
from core.store.sight import Sight
from core.training.retriever.examples import TRAIN, VALIDATION, Example
from core.training.retriever.figures import PassageSpace, found_by_search, found_by_vector
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

    def validation_mrr(self, model: QueryModel) -> float | None:
        """Of a model in training, by vector; None where nothing validates."""
        rows = [row for row, wanted in enumerate(self._wanted[VALIDATION]) if wanted]
        if not rows:
            return None
        model.train(False)
        with torch.no_grad():
            queries = model.vectors(rows).cpu().numpy()
        found = found_by_vector(
            self._space, [self._wanted[VALIDATION][row] for row in rows], queries, [self._sights[row] for row in rows]
        )
        return None if found is None else found["mrr"]


def verdict(
    before: dict[str, Any], after: dict[str, Any], best: int, flat: float | None
) -> tuple[float | None, bool, str]:
    """The gain in validation MRR by vector (None where nothing validates), whether to adopt it, and words for it.

    ``best`` is the step that is kept, ``flat`` the mean entropy of the language model's target as a share of the
    largest. What is found better by vector and worse as one searches is not to be adopted.
    """
    if before["validation"] is None:
        return None, False, "nothing validates: whether it finds better is not known"
    gain = round(after["validation"]["mrr"] - before["validation"]["mrr"], 4)
    said = f"validation MRR {_change(before, after, 'validation')} on {before['validation']['questions']} questions"
    teacher = "; the language model prefers no passage: its target is flat" if (flat or 0) > FLAT else ""
    if not best:
        return gain, False, f"no gain: no step lowered the validation loss, so nothing was learned{teacher}"
    if gain <= 0:
        return gain, False, f"no gain: {said}{teacher}"
    if before["searched"] and after["searched"]["mrr"] < before["searched"]["mrr"]:
        return (
            gain,
            False,
            f"no gain: {said} by vector, but {_change(before, after, 'searched')} as you search{teacher}",
        )
    return gain, True, f"gain: {said}{teacher}"


def _change(before: dict[str, Any], after: dict[str, Any], part: str) -> str:
    return f"{before[part]['mrr']:.3f} → {after[part]['mrr']:.3f}"
