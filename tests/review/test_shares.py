"""Intervals and agreement beyond chance, against published values."""

from __future__ import annotations

import pytest

from core.review.shares import Share, kappa


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (27, 30, 0.7438, 0.9654), (30, 30, 0.8865, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    """81 of 263 is the example of Newcombe (1998), method 3."""
    assert Share(right, count).interval == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_nothing_is_known() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(0, 0).words == "unknown"


def test_kappa_is_agreement_beyond_chance() -> None:
    pairs = [(True, True)] * 45 + [(True, False)] * 15 + [(False, True)] * 25 + [(False, False)] * 15
    assert kappa(pairs) == pytest.approx(0.1304, abs=5e-5)
    assert kappa([(True, True), (False, False)]) == 1
    assert kappa([(True, True)] * 9) is None
    assert kappa([]) is None
