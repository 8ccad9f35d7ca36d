"""The paired cluster bootstrap: whole interviews, the same draws for both systems."""

from __future__ import annotations

import numpy as np
import pytest

from core.scoring.bootstrap import ClusterRatio


def test_a_ratio_is_pooled_not_averaged() -> None:
    assert ClusterRatio.of([(10, 1), (10, 9)]).value() == pytest.approx(2.0)


def test_an_interval_holds_its_value_and_spans_the_clusters() -> None:
    interval = ClusterRatio.of([(300, 100), (310, 100), (320, 100)]).interval()
    assert interval.low <= interval.value <= interval.high
    assert (interval.low, interval.high) == (3.0, 3.2)


def test_pairing_removes_what_both_systems_share() -> None:
    shared = np.array([100.0, 300.0, 500.0])
    ours = ClusterRatio.of([(bits, 100) for bits in shared])
    theirs = ClusterRatio.of([(bits + 10, 100) for bits in shared])
    difference = ours.difference(theirs)
    assert (difference.low, difference.value, difference.high) == pytest.approx((-0.1, -0.1, -0.1))
    assert ours.interval().high - ours.interval().low > 1


def test_the_same_figures_give_the_same_interval() -> None:
    rows = [(3.0, 1.0), (5.0, 2.0), (2.0, 1.0)]
    assert ClusterRatio.of(rows).interval() == ClusterRatio.of(rows).interval()


def test_coverage_at_many_clusters_is_near_its_promise() -> None:
    chance = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        rows = [(float(chance.normal(3, 1)), 1.0) for _ in range(30)]
        interval = ClusterRatio.of(rows).interval()
        covered += interval.low <= 3 <= interval.high
    assert 0.88 <= covered / 200 <= 1.0
