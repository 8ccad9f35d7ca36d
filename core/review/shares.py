"""Shares with their uncertainty: Wilson's interval (1927), and agreement beyond chance (Cohen 1960)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z = 1.959964
"""Of a 95% interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """``right`` of ``count``."""

    right: int
    count: int

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self.right / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval; of nothing, everything."""
        if not self.count:
            return 0.0, 1.0
        share, count = self.right / self.count, self.count
        middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
        half = Z / (1 + Z**2 / count) * sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
        return max(0.0, middle - half), min(1.0, middle + half)

    def told(self) -> dict[str, float | int | None]:
        """For JSON."""
        low, high = self.interval
        value = self.value
        return {
            "value": None if value is None else round(value, 4), "low": round(low, 4), "high": round(high, 4),
            "n": self.count,
        }  # fmt: skip

    @property
    def words(self) -> str:
        """``91% (84–95%) of 77``."""
        if self.value is None:
            return "unknown"
        low, high = self.interval
        return f"{self.value:.0%} ({low * 100:.0f}–{high:.0%}) of {self.count:,}"


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two verdicts each; None where chance alone would agree always, or of nothing."""
    count = len(pairs)
    if not count:
        return None
    observed = sum(one == other for one, other in pairs) / count
    first, second = (sum(pair[side] for pair in pairs) / count for side in (0, 1))
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
