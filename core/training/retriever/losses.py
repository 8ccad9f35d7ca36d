"""The two losses, on query vectors against frozen passage vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.settings import RetrieverSettings
from core.store.sight import Sight

NOTHING = -1e9
"""The score of what is not there."""


@dataclass(frozen=True)
class Lessons:
    """The examples as tensors on one device; rows are questions, passages are places in ``passages``."""

    passages: torch.Tensor
    """Float32 unit vectors, shape (passages, dimension)."""
    candidates: torch.Tensor
    """Places, shape (questions, most candidates), padded with 0."""
    there: torch.Tensor
    """Which of these are no padding."""
    targets: torch.Tensor
    """The language model's preference, of the same shape; a row of zeros where it has none."""
    accepted: Sequence[Sequence[int]]
    """For each question, places."""
    rejected: Sequence[Sequence[int]]
    spared: Sequence[Sequence[int]]
    """What may be right for the question, though nobody has said so."""
    sights: Sequence[Sight]
    last_days: NDArray[np.int64]
    """For each passage, as in the store."""
    conversations: NDArray[np.int64]

    @property
    def device(self) -> torch.device:
        return self.passages.device


def loss_of(lessons: Lessons, rows: Sequence[int], queries: torch.Tensor, settings: RetrieverSettings) -> torch.Tensor:
    """The weighted sum of both losses for some questions and their unit vectors, shape (rows, dimension)."""
    total = queries.new_zeros(())
    if settings.lsr_weight:
        total = total + settings.lsr_weight * likelihood_loss(lessons, rows, queries, settings.temperature)
    if settings.contrastive_weight:
        total = total + settings.contrastive_weight * contrastive_loss(lessons, rows, queries, settings.temperature)
    return total


def likelihood_loss(lessons: Lessons, rows: Sequence[int], queries: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean KL(p_LSR ‖ p_R) over the questions that have a target, in nats; 0 where none has (RA-DIT, equation 5)."""
    index = torch.tensor(rows, device=lessons.device)
    target, there = lessons.targets[index], lessons.there[index]
    with_target = target.sum(dim=1) > 0
    if not bool(with_target.any()):
        return queries.new_zeros(())
    vectors = lessons.passages[lessons.candidates[index]]
    scores = torch.einsum("qd,qcd->qc", queries, vectors) / temperature
    found = torch.log_softmax(scores.masked_fill(~there, float("-inf")), dim=1).masked_fill(~there, 0.0)
    each = torch.xlogy(target, target).sum(dim=1) - (target * found).sum(dim=1)
    return each[with_target].mean()


def contrastive_loss(lessons: Lessons, rows: Sequence[int], queries: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean InfoNCE over accepted passages, against the rejected ones of the question and what was accepted for others.

    Another question's passage is a negative only where this one could have found it, not from its own future, and
    where nothing speaks for it: it says other things than what was accepted here, and it is not still to be decided on.
    """
    places, positive, negative = contrasts(lessons, rows)
    if not positive.any():
        return queries.new_zeros(())
    scores = queries @ lessons.passages[torch.from_numpy(places).to(lessons.device)].T / temperature
    # Not minus infinity: a question without any negative would have no gradient that is a number.
    against = torch.logsumexp(scores.masked_fill(~torch.from_numpy(negative).to(lessons.device), NOTHING), dim=1)
    pairs = torch.nn.functional.softplus(against[:, None] - scores)
    return pairs[torch.from_numpy(positive).to(lessons.device)].mean()


def contrasts(lessons: Lessons, rows: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Places, and for each question which of them are its positives and its negatives, shape (rows, places)."""
    accepted = {place for row in rows for place in lessons.accepted[row]}
    places = np.array(sorted(accepted.union(*(lessons.rejected[row] for row in rows))), dtype=np.int64)
    shared = np.isin(places, list(accepted))
    positive = np.array([np.isin(places, lessons.accepted[row]) for row in rows])
    rejected = np.array([np.isin(places, lessons.rejected[row]) for row in rows])
    days, conversations = lessons.last_days[places], lessons.conversations[places]
    seen = np.array([lessons.sights[row].shows_each(days, conversations) for row in rows])
    spared = np.array([np.isin(places, lessons.spared[row]) for row in rows])
    return places, positive, rejected | (shared & seen & ~positive & ~spared)
