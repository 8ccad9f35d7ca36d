"""The loop: batches by seed, the learning rate along a cosine, and the best step by the validation loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch

from core.errors import Interrupted
from core.settings import RetrieverSettings
from core.training.retriever.losses import Lessons, loss_of
from core.training.retriever.pace import Pace

EVALUATIONS = 40
"""Of a whole training, at the most."""


class QueryModel(Protocol):
    """What is trained: from questions, by row, to unit vectors."""

    @property
    def device(self) -> str: ...

    def parameters(self) -> list[torch.Tensor]: ...

    def train(self, on: bool) -> None: ...

    def vectors(self, rows: Sequence[int]) -> torch.Tensor: ...

    def penalty(self) -> torch.Tensor: ...


class Keeper(Protocol):
    """Keeps where a training stands."""

    def take(self) -> dict[str, Any] | None:
        """What was kept last, None where nothing was."""
        ...

    def keep(self, step: int, state: dict[str, Any]) -> None:
        """Keep what a training needs to go on after a step."""
        ...


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
    watch: Callable[[Moment], bool],
    keeper: Keeper | None = None,
) -> Fitted:
    """Train on some rows. ``watch`` is told of every step, and says whether to stop after it.

    Equal input gives equal weights: with a ``keeper`` whether or not it was stopped between. Raises Interrupted.
    """
    parameters = model.parameters()
    # What a small step changes is less than a half-precision weight can say: nothing would be learned.
    assert all(each.dtype == torch.float32 for each in parameters)
    optimizer = torch.optim.Adam(parameters, lr=pace.learning_rate)
    every = max(1, pace.steps // EVALUATIONS)

    found = keeper.take() if keeper is not None else None
    if found is not None:
        standing = _restored(found, model, optimizer)
    else:
        begun = _evaluated(model, lessons, validation, settings, pace.batch)
        standing = _Standing(0, 0, begun, settings.patience, math.nan, _copied(model) if validation else [])

    def told(moment: Moment, due: bool) -> None:
        stopping = watch(moment)
        if keeper is not None and (due or stopping):
            keeper.keep(moment.step, _state(standing, model, optimizer))
        if stopping:
            raise _stopped(moment.step, pace.steps, keeper is not None)

    if found is None:
        told(Moment(0, None, standing.best_loss, 0.0), False)
    while standing.step < pace.steps and standing.patience:
        step = standing.step + 1
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
        standing.step, standing.loss, evaluated = step, float(total.detach()), None
        due = step % every == 0 or step == pace.steps
        if validation and due:
            evaluated = _evaluated(model, lessons, validation, settings, pace.batch)
            assert evaluated is not None
            assert standing.best_loss is not None
            standing.patience -= 1
            if evaluated < standing.best_loss:
                standing.best, standing.best_loss, standing.kept = step, evaluated, _copied(model)
                standing.patience = settings.patience
        told(Moment(step, standing.loss, evaluated, rate), due)
    if not validation:
        return Fitted(standing.step, standing.step, standing.loss, None)
    _put(parameters, standing.kept)
    return Fitted(standing.best, standing.step, standing.loss, standing.best_loss)


@dataclass(slots=True)
class _Standing:
    """What the rest of a training hangs on, beside the weights, the optimizer and chance."""

    step: int
    best: int
    best_loss: float | None
    patience: int
    loss: float
    kept: list[torch.Tensor]
    """The weights of ``best``; none where nothing validates."""


def _state(standing: _Standing, model: QueryModel, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {
        "standing": {each.name: getattr(standing, each.name) for each in fields(standing)},
        "weights": [each.detach() for each in model.parameters()],
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "random_there": torch.cuda.get_rng_state() if model.device == "cuda" else None,
    }


def _restored(found: dict[str, Any], model: QueryModel, optimizer: torch.optim.Optimizer) -> _Standing:
    _put(model.parameters(), found["weights"])
    optimizer.load_state_dict(found["optimizer"])
    torch.set_rng_state(found["random"].cpu())
    if model.device == "cuda" and found["random_there"] is not None:
        torch.cuda.set_rng_state(found["random_there"].cpu())
    return _Standing(**found["standing"])


def _stopped(step: int, steps: int, kept: bool) -> Interrupted:
    if kept:
        return Interrupted(
            f"stopped at step {step} of {steps}; a checkpoint is saved",
            "`simulee runs resume ID` goes on where it stopped",
        )
    return Interrupted(
        f"stopped at step {step} of {steps}",
        "`simulee runs resume ID` trains these steps anew, in seconds; what was scored is kept",
    )


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


def _put(parameters: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


def _copied(model: QueryModel) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]
