"""How many of a person's verdicts a model takes; apart from the model, which needs numpy."""

from __future__ import annotations

from collections.abc import Sequence

from core.store.learned import LabelRow

FIRST = 30
"""Verdicts after which there is a model."""
FEWEST_OF_EACH = 5
"""Acceptances and rejections below which a model would know one answer only."""
AGAIN = 10
"""Rows of the log after which it is learned again."""


def is_enough(labels: Sequence[LabelRow]) -> bool:
    """Whether a model can be learned from these verdicts."""
    accepted = sum(label.accepted for label in labels)
    return len(labels) >= FIRST and min(accepted, len(labels) - accepted) >= FEWEST_OF_EACH
