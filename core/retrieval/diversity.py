"""Spread what is found: maximal marginal relevance, and a cap on how many passages one document brings.

Without it a few passages near to everything are recalled for everything, and most never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

DIGITS = 6
"""Scores are compared to this many, so that the last bits of a float never choose between two passages."""


def marginal_order(
    scores: Mapping[int, float], vectors: Mapping[int, NDArray[np.float32]], weight: float, most: int
) -> list[int]:
    """The ids of ``scores`` by maximal marginal relevance (Carbonell and Goldstein 1998), as many as ``most``.

    Each next one has the greatest ``weight`` · score − (1 − ``weight``) · likeness to the nearest taken before. Scores
    are scaled to at most 1, like the cosines of the unit ``vectors``; what has no vector is like nothing. Ties go to
    the higher score, then to the lower id.
    """
    ids = sorted(scores, key=lambda each: (-scores[each], each))
    if not ids:
        return []
    top = max(scores.values())
    relevance = np.array([scores[each] / top if top > 0 else 0.0 for each in ids])
    dimension = next((len(vector) for vector in vectors.values()), 1)
    matrix = np.array([vectors.get(each, np.zeros(dimension, dtype=np.float32)) for each in ids], dtype=np.float64)
    nearest = np.zeros(len(ids))
    left = np.ones(len(ids), dtype=bool)
    order: list[int] = []
    while len(order) < min(most, len(ids)):
        marginal = np.round(weight * relevance - (1 - weight) * nearest, DIGITS)
        place = int(np.argmax(np.where(left, marginal, -np.inf)))
        order.append(ids[place])
        left[place] = False
        likeness = matrix @ matrix[place]
        nearest = likeness if len(order) == 1 else np.maximum(nearest, likeness)
    return order


def capped_order(ids: Sequence[int], owners: Mapping[int, Hashable], most: int) -> list[int]:
    """The same ids, those beyond the first ``most`` of one owner after all the others; 0 is no cap."""
    if most == 0:
        return list(ids)
    seen: Counter[Hashable] = Counter()
    within: list[int] = []
    beyond: list[int] = []
    for each in ids:
        seen[owners[each]] += 1
        (within if seen[owners[each]] <= most else beyond).append(each)
    return within + beyond
