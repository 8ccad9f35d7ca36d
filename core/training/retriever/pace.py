"""How long, how much at a time and how fast a retriever trains. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import RetrieverSettings

HEAD_STEPS, HEAD_BATCH, HEAD_LEARNING_RATE = 200, 256, 1e-4
ENCODER_EPOCHS, ENCODER_BATCH, ENCODER_LEARNING_RATE = 3.0, 16, 1e-5


@dataclass(frozen=True, slots=True)
class Pace:
    """How long, how much at a time, how fast."""

    steps: int
    batch: int
    learning_rate: float


def pace_of(settings: RetrieverSettings, full: bool, questions: int, epochs: float | None) -> Pace:
    """The pace over so many questions, with what the settings leave open filled by what is trained."""
    batch = settings.batch or (ENCODER_BATCH if full else HEAD_BATCH)
    rate = settings.learning_rate or (ENCODER_LEARNING_RATE if full else HEAD_LEARNING_RATE)
    if settings.steps is None and epochs is None and not full:
        return Pace(HEAD_STEPS, batch, rate)
    per_epoch = -(-questions // batch)
    steps = settings.steps or max(1, round(per_epoch * (epochs or ENCODER_EPOCHS)))
    return Pace(steps, batch, rate)
