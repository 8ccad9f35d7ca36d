"""The loop: batches by seed, the learning rate along a cosine, and the best step by the validation loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from core.settings import RetrieverSettings
from core.training.retriever.losses import Lessons, loss_of
from core.training.retriever.pace import Pace

EVALUATIONS = 40
"""Of a whole training, at the most."""


class QueryModel(Protocol):
    """What is trained: from questions, by row, to unit vectors."""

    def parameters(self) -> list[torch.Tensor]: ...

    def train(self, on: bool) -> None: ...

    def vectors(self, rows: Sequence[int]) -> torch.Tensor: ...

    def penalty(self) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a training came to. The model holds the weights of ``best``."""

    best: int
    """The step with the lowest validation loss, 0 for the untrained model; the last one where nothing validates."""
    taken: int
    """Steps that were taken."""
    loss: float
    """Of the last step's batch."""
    eval_loss: float | None
    """At ``best``; None where nothing validates."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One step, as it is told."""

    step: int
    loss: float | None
    eval_loss: float | None
    """None between evaluations, and where nothing validates."""
    learning_rate: float


def fit(
    model: QueryModel,
    lessons: Lessons,
    rows: Sequence[int],
    validation: Sequence[int],
    settings: RetrieverSettings,
    pace: Pace,
    watch: Callable[[Moment], None],
) -> Fitted:
    """Train on some rows. ``watch`` is told of every step, and may raise to stop. Equal input gives equal weights."""
    optimizer = torch.optim.Adam(model.parameters(), lr=pace.learning_rate)
    every = max(1, pace.steps // EVALUATIONS)
    best, best_loss, kept = 0, _evaluated(model, lessons, validation, settings, pace.batch), _copied(model)
    watch(Moment(0, None, best_loss, 0.0))
    patience, loss, step = settings.patience, math.nan, 0
    for step in range(1, pace.steps + 1):
        rate = pace.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - 1) / pace.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.train(True)
        chosen = batch_of(rows, pace.batch, step, settings.seed)
        total = loss_of(lessons, chosen, model.vectors(chosen), settings) + model.penalty()
        optimizer.zero_grad()
        if total.requires_grad:
            total.backward()
            optimizer.step()
        loss, evaluated = float(total.detach()), None
        if validation and (step % every == 0 or step == pace.steps):
            evaluated = _evaluated(model, lessons, validation, settings, pace.batch)
            assert evaluated is not None
            assert best_loss is not None
            patience -= 1
            if evaluated < best_loss:
                best, best_loss, kept, patience = step, evaluated, _copied(model), settings.patience
        watch(Moment(step, loss, evaluated, rate))
        if not patience:
            break
    if not validation:
        return Fitted(step, step, loss, None)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), kept, strict=True):
            parameter.copy_(value)
    return Fitted(best, step, loss, best_loss)


def batch_of(rows: Sequence[int], size: int, step: int, seed: int) -> list[int]:
    """The rows of one step, counted from 1: each epoch has an order of its own, which the seed decides."""
    if len(rows) <= size:
        return list(rows)
    per_epoch = -(-len(rows) // size)
    epoch, place = divmod(step - 1, per_epoch)
    random = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(rows), generator=random).tolist()
    return [rows[each] for each in order[place * size : (place + 1) * size]]


def _evaluated(
    model: QueryModel, lessons: Lessons, rows: Sequence[int], settings: RetrieverSettings, batch: int
) -> float | None:
    """The loss on the rows that validate, by question, without the penalty; None without such rows."""
    if not rows:
        return None
    model.train(False)
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            total += float(loss_of(lessons, some, model.vectors(some), settings)) * len(some)
    return total / len(rows)


def _copied(model: QueryModel) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]
