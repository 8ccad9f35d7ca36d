"""A gain is one only where the questions that validate could show it."""

from __future__ import annotations

from typing import Any

import pytest

from core.scoring.bootstrap import ClusterRatio
from core.training.retriever.measure import verdict


def _judged(
    ranks: list[tuple[float, float]], searched: tuple[float, float] = (0.5, 0.5), best: int = 3
) -> tuple[bool, str]:
    """By the reciprocal ranks of each question, before and after."""
    sides = [ClusterRatio.of([(pair[side], 1) for pair in ranks]) for side in (0, 1)]

    def figures(side: int) -> dict[str, Any]:
        return {
            "validation": {"mrr": sides[side].value(), "questions": len(ranks)},
            "searched": {"mrr": searched[side], "questions": len(ranks)},
        }

    return verdict(figures(0), figures(1), sides[1].difference(sides[0]), best, None)


def test_what_most_questions_gain_by_is_adopted_and_told_with_its_interval() -> None:
    better, words = _judged([(0.25, 1.0)] * 10 + [(1.0, 1.0)] * 2)
    assert better
    assert words.startswith("gain: validation MRR 0.375 → 1.000 on 12 questions, +0.625 (95% interval +0.4")


def test_what_one_question_of_many_gains_by_is_not_shown() -> None:
    better, words = _judged([(0.2, 1.0), *[(0.5, 0.5)] * 10])
    assert not better
    assert words.startswith(
        "no gain that 11 questions could show: validation MRR 0.473 → 0.545 on 11 questions, +0.073"
    )
    assert "(95% interval +0.000 to " in words


@pytest.mark.parametrize("questions", [1, 2, 3, 7])
def test_a_few_questions_show_nothing_however_much_each_gains(questions: int) -> None:
    better, words = _judged([(0.1, 1.0)] * questions)
    assert not better
    assert words.startswith("no gain that fewer than 8 questions could show: ")


def test_a_loss_and_what_is_found_worse_as_one_searches_are_no_gain() -> None:
    assert _judged([(1.0, 0.5)] * 12) == (False, "no gain: validation MRR 1.000 → 0.500 on 12 questions")
    better, words = _judged([(0.25, 1.0)] * 12, searched=(0.9, 0.8))
    assert not better
    assert words.endswith("by vector, but 0.900 → 0.800 as you search")
    assert _judged([(0.25, 1.0)] * 12, best=0)[1].startswith("no gain: no step lowered")


def test_nothing_that_validates_tells_nothing() -> None:
    assert verdict({"validation": None}, {"validation": None}, None, 3, None) == (
        False,
        "nothing validates: whether it finds better is not known",
    )
