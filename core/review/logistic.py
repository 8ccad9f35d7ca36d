"""Logistic regression with an L2 penalty in numpy: fitted by Newton's method, its strength chosen by cross-validation.

A library's would take longer to import than this takes to fit. With a few dozen to a few thousand verdicts and some
thirty features everything is exact and deterministic, and done in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

STRENGTHS = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Candidates for the penalty on the squared weights, beside the summed log-loss of the verdicts."""
FOLDS = 5
STEPS = 40
SMALLEST_STEP = 1e-8
INTERCEPT_PENALTY = 1e-3
"""Keeps the intercept finite where a fold holds verdicts of one kind only."""
BINS = 5
CLEAREST = 1e-6
"""A chance is never said to be nearer to 0 or 1 than this."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Verdicts for which about the same chance was foretold."""

    count: int
    foretold: float
    """Mean chance of acceptance."""
    accepted: float
    """Share that was accepted."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How well chances fit verdicts that they were not fitted to."""

    count: int
    brier: float
    """Mean squared error of the chances; 0 is perfect."""
    base_brier: float
    """The same for saying the share of acceptances every time."""
    log_loss: float
    """Bits per verdict."""
    agreement: float
    """Share of verdicts on the side that the chance was on."""
    bins: tuple[Bin, ...]
    """Of about equal size, lowest chance first."""

    @property
    def calibration_error(self) -> float:
        """Mean distance of foretold chance and accepted share over the bins, weighted by their size."""
        return sum(each.count * abs(each.foretold - each.accepted) for each in self.bins) / max(1, self.count)


@dataclass(frozen=True, slots=True)
class Model:
    """Chance of acceptance = logistic(intercept + features · weights)."""

    intercept: float
    weights: Vector
    strength: float
    checked: Checked
    """Out of sample, by cross-validation."""

    def chances(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of rows of features, shape (n, d): chances of shape (n,)."""
        return _logistic(self.intercept + matrix @ self.weights).astype(np.float32)


def fit(matrix: NDArray[np.float32], accepted: NDArray[np.bool_], groups: NDArray[np.int64]) -> Model:
    """Fit verdicts of shape (n,) on features of shape (n, d).

    The strength is the one whose chances cost the fewest bits on groups left out. Verdicts of one group (the memories
    of one exchange share its question) are never on both sides of a fold. Both verdicts must occur.
    """
    features = np.column_stack([np.ones(len(matrix)), matrix.astype(np.float64)])
    verdicts = accepted.astype(np.float64)
    folds = _folds(groups)
    left_out = np.zeros((len(STRENGTHS), len(verdicts)))
    for fold in range(FOLDS):
        outside, inside = folds != fold, folds == fold
        weights = np.zeros(features.shape[1])
        for place, strength in enumerate(STRENGTHS):  # From strong to weak: each fit starts from the one before.
            weights = _newton(features[outside], verdicts[outside], strength, weights)
            left_out[place, inside] = _logistic(features[inside] @ weights)
    checks = [check(chances, accepted) for chances in left_out]
    best = min(range(len(STRENGTHS)), key=lambda place: checks[place].log_loss)
    weights = np.zeros(features.shape[1])
    for strength in STRENGTHS[: best + 1]:
        weights = _newton(features, verdicts, strength, weights)
    return Model(float(weights[0]), weights[1:], STRENGTHS[best], checks[best])


def check(chances: Vector, accepted: NDArray[np.bool_]) -> Checked:
    """Hold chances of shape (n,) against the verdicts."""
    verdicts = accepted.astype(np.float64)
    clear = np.clip(chances, CLEAREST, 1 - CLEAREST)
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return Checked(
        len(verdicts),
        float(np.mean((chances - verdicts) ** 2)),
        float(np.mean((verdicts.mean() - verdicts) ** 2)),
        float(-np.mean(np.log2(np.where(accepted, clear, 1 - clear)))),
        float(np.mean((chances >= 0.5) == accepted)),
        tuple(Bin(len(part), float(chances[part].mean()), float(verdicts[part].mean())) for part in parts),
    )


def _folds(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fold for each row: groups in an order that has nothing to do with their ids, dealt out in turn."""
    order = sorted({int(group) for group in groups}, key=lambda group: sha256(str(group).encode()).digest())
    fold_of = {group: place % FOLDS for place, group in enumerate(order)}
    return np.array([fold_of[int(group)] for group in groups], dtype=np.int64)


def _newton(features: Vector, verdicts: Vector, strength: float, start: Vector) -> Vector:
    """The weights that minimize the summed log-loss and half the penalty; a step that would not gain is halved."""
    penalty = np.full(features.shape[1], strength)
    penalty[0] = INTERCEPT_PENALTY
    weights = start
    cost = _cost(features, verdicts, penalty, weights)
    for _ in range(STEPS):
        chances = _logistic(features @ weights)
        gradient = features.T @ (chances - verdicts) + penalty * weights
        curvature = (features * (chances * (1 - chances))[:, None]).T @ features + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        after = _cost(features, verdicts, penalty, weights - step)
        while after > cost and np.abs(step).max() > SMALLEST_STEP:
            step = step / 2
            after = _cost(features, verdicts, penalty, weights - step)
        if after > cost:
            break
        weights, cost = weights - step, after
        if np.abs(step).max() < SMALLEST_STEP:
            break
    return weights


def _cost(features: Vector, verdicts: Vector, penalty: Vector, weights: Vector) -> float:
    logits = features @ weights
    return float(np.sum(np.logaddexp(0.0, logits) - verdicts * logits) + np.sum(penalty * weights**2) / 2)


def _logistic(logits: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))
