"""Paired cluster bootstrap: whole interviews, or questions, are drawn, and two systems on the same draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
SEED = 0
FEWEST_CLUSTERS = 8
"""Under this many, percentile intervals are too narrow: they cover about 74% at 3 clusters, 91% at 8."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% percentile interval."""

    value: float
    low: float
    high: float

    def rounded(self, digits: int = 4) -> dict[str, float]:
        return {"value": round(self.value, digits), "low": round(self.low, digits), "high": round(self.high, digits)}


@dataclass(frozen=True, slots=True)
class ClusterRatio:
    """Per interview or question a numerator and a denominator: bits and tokens, or a sum and a count. Shapes (n,)."""

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float]]) -> ClusterRatio:
        array = np.asarray(rows, dtype=np.float64).reshape(-1, 2)
        return cls(array[:, 0], array[:, 1])

    def value(self) -> float:
        return float(self.numerator.sum() / self.denominator.sum())

    def interval(self) -> Interval:
        draws = _draws(len(self.numerator))
        return _interval(self.value(), self._resampled(draws))

    def difference(self, other: ClusterRatio) -> Interval:
        """This minus the other, on the same draws."""
        draws = _draws(len(self.numerator))
        return _interval(self.value() - other.value(), self._resampled(draws) - other._resampled(draws))

    def _resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        ratio: NDArray[np.float64] = self.numerator[draws].sum(axis=1) / self.denominator[draws].sum(axis=1)
        return ratio


def _draws(clusters: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED).integers(0, clusters, size=(RESAMPLES, clusters))


def _interval(value: float, resampled: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))
