"""Which passages an answer rests on, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.recall.recollect import Recollection

SUPPORT = 0.45
"""Least likeness (cosine) between a sentence and a memory for the memory to count as its support."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One sentence of an answer and the recalled passage nearest to it; ``source`` is None without support."""

    sentence: str
    source: Recollection | None
    score: float


def receipts_of(answer: str, recollections: Sequence[Recollection], embedder: Embedder | None) -> list[Receipt]:
    """Match each sentence with the recalled passage whose quote is nearest; without an embedder, with none."""
    sentences = [sentence.text for sentence in sentences_of(answer)]
    if not sentences or not recollections or embedder is None:
        return [Receipt(sentence, None, 0.0) for sentence in sentences]
    spoken = embedder.embed(sentences)
    quotes = embedder.embed([each.retold.quote for each in recollections])
    likeness = np.round(spoken @ quotes.T, 4)
    receipts = []
    for sentence, row in zip(sentences, likeness, strict=True):
        best = int(np.argmax(row))
        score = round(float(row[best]), 4)
        receipts.append(Receipt(sentence, recollections[best] if score >= SUPPORT else None, score))
    return receipts
