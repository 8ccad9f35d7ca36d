"""How much a training reads: samples of general text, rows of packed samples, steps. Imports no torch."""

from __future__ import annotations

from core.settings import TrainingSettings

GENERAL_TOKENS = 256
"""Of one paragraph of general text, at most."""


def general_samples(samples: int, share: float) -> int:
    """How many samples of general text make ``share`` of all, beside so many others."""
    return round(samples * share / (1 - share))


def rows_per_step(samples: int, rows: int, batch: int, processes: int = 1) -> int:
    """How many rows make up about ``batch`` samples: at least one for each process, as many for one as for another."""
    return processes * max(1, round(batch * rows / samples / processes))


def steps_of(samples: int, settings: TrainingSettings, most: int | None = None) -> int:
    """Optimizer steps over so many samples, with settings that leave nothing open; never more than ``most``."""
    assert settings.batch is not None
    assert settings.epochs is not None
    per_epoch = -(-samples // settings.batch)
    steps = max(1, round(per_epoch * settings.epochs))
    return min(steps, most) if most else steps
