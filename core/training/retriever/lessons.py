"""From examples to tensors, and what is right to find for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from core.settings import RetrieverSettings
from core.store.sight import Sight
from core.training.retriever.examples import Example
from core.training.retriever.figures import PassageSpace
from core.training.retriever.losses import Lessons
from core.training.retriever.preference import preference

Scores = Sequence[NDArray[np.float64]]
"""For each example, the answer's bits per token after each candidate; empty where nothing was scored."""
NEARLY_THE_SAME = 0.95
"""Cosine of two passages above which what is right of one is taken to be right of the other."""
DECISIONS, LIKELIHOOD = "accepted memories", "the passage that makes the real answer likeliest"
"""What is right to find, in words."""


def lessons_of(
    space: PassageSpace,
    examples: Sequence[Example],
    sights: Sequence[Sight],
    scores: Scores,
    settings: RetrieverSettings,
    device: str,
) -> Lessons:
    """The examples as tensors; the vectors of their passages are taken from the space and stay as they are."""
    ids = sorted({each for example in examples for each in example.candidates})
    places = space.places(ids)
    at = {chunk_id: place for place, chunk_id in enumerate(ids)}
    width = max(len(example.candidates) for example in examples)
    candidates = np.zeros((len(examples), width), dtype=np.int64)
    there = np.zeros((len(examples), width), dtype=np.bool_)
    targets = np.zeros((len(examples), width), dtype=np.float32)
    for row, example in enumerate(examples):
        count = len(example.candidates)
        candidates[row, :count] = [at[each] for each in example.candidates]
        there[row, :count] = True
        if scores:
            targets[row, :count] = preference(scores[row], settings.tau)
    return Lessons(
        torch.from_numpy(space.vectors[places]).to(device),
        torch.from_numpy(candidates).to(device),
        torch.from_numpy(there).to(device),
        torch.from_numpy(targets).to(device),
        [[at[each] for each in example.accepted] for example in examples],
        [[at[each] for each in example.rejected] for example in examples],
        [[at[each] for each in spared] for spared in _spared(space, examples)],
        sights,
        space.last_days[places],
        space.conversations[places],
    )


def _spared(space: PassageSpace, examples: Sequence[Example]) -> list[set[int]]:
    """For each question what was accepted for others and may be right here too: what its example says, and what says
    nearly the same as a passage that was accepted here."""
    shared = sorted({each for example in examples for each in example.accepted})
    vectors = space.vectors[space.places(shared)]
    found = []
    for example in examples:
        likeness = vectors @ space.vectors[space.places(example.accepted)].T
        near = {each for each, row in zip(shared, likeness, strict=True) if (row > NEARLY_THE_SAME).any()}
        found.append((near | set(example.spared).intersection(shared)).difference(example.accepted))
    return found


def teaching(examples: Sequence[Example], split: str, scores: Scores, settings: RetrieverSettings) -> list[int]:
    """The rows of a split that a loss reads: with scores, or with an accepted memory."""
    scored = bool(settings.lsr_weight and scores)
    return [
        row
        for row, example in enumerate(examples)
        if example.split == split and (scored or (settings.contrastive_weight and example.accepted))
    ]


def right_passages(examples: Sequence[Example], split: str, scores: Scores) -> tuple[list[list[int]], str]:
    """For each example the chunks that are right to find, and what they are; empty for other splits.

    The accepted memories of the split; where it has none at all, the passage after which the answer is likeliest.
    """
    inside = [example.split == split for example in examples]
    if any(example.accepted for example, wanted in zip(examples, inside, strict=True) if wanted):
        return [list(each.accepted) if wanted else [] for each, wanted in zip(examples, inside, strict=True)], DECISIONS
    if not scores:
        return [[] for _ in examples], ""
    likeliest = [[each.candidates[int(np.argmin(bits))]] for each, bits in zip(examples, scores, strict=True)]
    return [each if wanted else [] for each, wanted in zip(likeliest, inside, strict=True)], LIKELIHOOD
