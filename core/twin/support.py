"""How likely it is that a passage supports a sentence, from features and a fixed logistic over them.

A bare cosine cannot tell a sentence from the same one with another number in it. So a number, a name or a denial that
the passage does not bear out is a veto, and the rest is weighed: the sentence against the passage's sentences, alone
and two by two. Weights and threshold were found by ``python -m bench.receipts`` on seven of the sample's interviews
and are measured there on three others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.twin.particulars import content_stems, names_in, numbers_in, polarity, words_of

FEATURES = ("likeness", "overlap", "overlap_passage", "pairs", "numbers", "length")
"""Cosine to the best window; share of the sentence's content words in it, and in the passage; share of its pairs of
neighboring content words in the window; numbers that agree, up to two; log of its content words."""
INTERCEPT = -8.03
WEIGHTS = (7.46, 1.85, 2.40, 3.04, 0.61, 0.93)
LEAST_CHANCE = 0.4
"""From which a passage counts as support."""
AROUND = 2
"""Sentences before and after a window in which a name of the sentence may stand."""
OVERLAP_WEIGHT = 0.5
"""What shared words count beside likeness where the best window is chosen."""
KEPT = 4096
"""Sentences whose words and vectors are kept: passages come back from one answer to the next."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is compared of one piece of text."""

    words: frozenset[str]
    stems: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    numbers: frozenset[int]
    names: frozenset[str]
    affirmed: frozenset[str]
    denied: frozenset[str]

    def contradicts(self, other: Reading) -> bool:
        """Whether one denies words that the other only affirms."""
        return bool(
            (self.denied - self.affirmed) & (other.affirmed - other.denied)
            or (other.denied - other.affirmed) & (self.affirmed - self.denied)
        )


@dataclass(frozen=True, slots=True)
class Match:
    """How one sentence stands to one passage."""

    features: tuple[float, ...]
    """In the order of ``FEATURES``."""
    window: str
    """The sentence or two of the passage that come nearest."""
    around: str
    """The window with the sentences around it."""
    veto: bool
    """Whether a number, a name or a denial speaks against it."""

    @property
    def chance(self) -> float:
        """That the passage supports the sentence, from 0 to 1."""
        if self.veto:
            return 0.0
        logit = INTERCEPT + sum(weight * value for weight, value in zip(WEIGHTS, self.features, strict=True))
        return 1 / (1 + math.exp(-logit))


@lru_cache(maxsize=KEPT)
def read(text: str) -> Reading:
    """Read a text's words, numbers, names and denials."""
    words = words_of(text)
    stems = content_stems(words)
    affirmed, denied = polarity(text)
    return Reading(
        frozenset(words), frozenset(stems), frozenset(pairwise(stems)),
        frozenset(each.value for each in numbers_in(words) if not each.vague), frozenset(names_in(text)),
        frozenset(affirmed), frozenset(denied),
    )  # fmt: skip


class Matcher:
    """Matches sentences with passages over one embedder; it keeps the vectors of what it has seen."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def match(self, sentences: Sequence[str], passages: Sequence[str]) -> list[list[Match]]:
        """For each sentence its match with each passage."""
        cut = [[each.text for each in sentences_of(passage)] or [passage] for passage in passages]
        self._embed([*sentences, *(sentence for pieces in cut for sentence in pieces)])
        spoken = np.array([self._vectors[each] for each in sentences])
        rows: list[list[Match]] = [[] for _ in sentences]
        for passage, pieces in zip(passages, cut, strict=True):
            vectors = np.array([self._vectors[each] for each in pieces])
            windows, spans = _windows(pieces)
            # The vector of two sentences is near enough to the mean of theirs, and costs nothing.
            both = vectors[:-1] + vectors[1:]
            both = both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-9)
            likeness = spoken @ np.concatenate([vectors, both]).T
            for row, sentence, cosines in zip(rows, sentences, likeness, strict=True):
                row.append(_match(sentence, passage, pieces, windows, spans, cosines))
        return rows

    def _embed(self, texts: Sequence[str]) -> None:
        fresh = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if len(self._vectors) + len(fresh) > KEPT:
            self._vectors.clear()
            fresh = list(dict.fromkeys(texts))
        if fresh:
            self._vectors |= zip(fresh, self._embedder.embed(fresh), strict=True)


def _windows(pieces: Sequence[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """Each sentence, then each two in a row; with the first and the end of each."""
    alone = list(pieces)
    both = [f"{one} {other}" for one, other in pairwise(pieces)]
    spans = [(at, at + 1) for at in range(len(alone))] + [(at, at + 2) for at in range(len(both))]
    return alone + both, spans


def _match(
    sentence: str,
    passage: str,
    pieces: Sequence[str],
    windows: Sequence[str],
    spans: Sequence[tuple[int, int]],
    cosines: NDArray[np.float32],
) -> Match:
    said, whole = read(sentence), read(passage)
    count = max(1, len(said.stems))
    shared = [len(said.stems & read(window).stems) / count for window in windows]
    best = max(range(len(windows)), key=lambda place: float(cosines[place]) + OVERLAP_WEIGHT * shared[place])
    near = read(windows[best])
    first, stop = spans[best]
    around = " ".join(pieces[max(0, first - AROUND) : stop + AROUND])
    veto = bool(said.numbers - whole.numbers or said.names - read(around).words or said.contradicts(near))
    features = (
        float(cosines[best]),
        shared[best],
        len(said.stems & whole.stems) / count,
        len(said.pairs & near.pairs) / max(1, len(said.pairs)),
        float(min(2, len(said.numbers & near.numbers))),
        math.log1p(len(said.stems)),
    )
    return Match(features, windows[best], around, veto)
