"""The regression itself: it finds what made the verdicts, and says how sure it may be."""

from __future__ import annotations

import numpy as np
import pytest

from core.review.logistic import BINS, check, fit


def drawn(count: int, weights: list[float], seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, verdicts, groups of five, and the chances that the verdicts were drawn with."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(count, len(weights))).astype(np.float32)
    chances = 1 / (1 + np.exp(-(0.4 + features @ np.array(weights))))
    return features, chance.random(count) < chances, np.arange(count) // 5, chances


def test_it_finds_the_weights_that_made_the_verdicts() -> None:
    features, accepted, groups, _ = drawn(4000, [1.5, -0.7, 0.0, 0.0])
    model = fit(features, accepted, groups)
    assert model.weights == pytest.approx([1.5, -0.7, 0.0, 0.0], abs=0.15)
    assert model.intercept == pytest.approx(0.4, abs=0.15)


def test_cross_validation_foretells_the_error_on_verdicts_never_seen() -> None:
    features, accepted, groups, chances = drawn(3000, [1.2, -0.8, 0.5] + [0.0] * 12)
    model = fit(features[:300], accepted[:300], groups[:300])
    unseen = check(model.chances(features[300:]).astype(np.float64), accepted[300:])
    best = check(chances[300:], accepted[300:])
    assert model.checked.brier == pytest.approx(unseen.brier, abs=0.03)
    assert best.brier < unseen.brier < best.brier + 0.02
    assert unseen.calibration_error < 0.06


def test_features_that_say_nothing_are_not_believed() -> None:
    features, _, groups, _ = drawn(60, [0.0] * 20)
    accepted = np.random.default_rng(1).random(60) < 0.7
    model = fit(features, accepted, groups)
    unseen = drawn(2000, [0.0] * 20, seed=6)[0]
    spread = model.chances(unseen)
    assert model.strength >= 100
    assert np.abs(spread - 0.7).mean() < 0.15


def test_verdicts_that_a_feature_parts_without_a_fault_still_have_finite_weights() -> None:
    features, _, groups, _ = drawn(80, [1.0, 0.0])
    model = fit(features, features[:, 0] > 0, groups)
    assert np.isfinite(model.weights).all()
    assert model.checked.agreement > 0.9


def test_the_bins_hold_every_verdict_once_and_rise() -> None:
    features, accepted, groups, _ = drawn(203, [1.0])
    checked = fit(features, accepted, groups).checked
    assert len(checked.bins) == BINS
    assert sum(each.count for each in checked.bins) == 203
    foretold = [each.foretold for each in checked.bins]
    assert foretold == sorted(foretold)
