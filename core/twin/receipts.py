"""Which passages an answer rests on, sentence by sentence; and what must never be shown word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.recall.recollect import Recollection

SUPPORT = 0.45
"""Least likeness (cosine) between a sentence and a memory for the memory to count as its support."""
WITHHELD = "[kept private]"


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


class PrivateWords:
    """Runs of words from recall-only passages: the twin may know them, and never says them word for word."""

    def __init__(self, texts: Sequence[str], longest: int) -> None:
        self._longest = longest
        self._runs = {run for text in texts for run in _runs(_words(text), longest + 1)}

    def redact(self, text: str) -> str:
        """The text with every run of more than ``longest`` such words replaced."""
        if not self._runs:
            return text
        found = list(re.finditer(r"\w+", text))
        places = [(match.start(), match.end()) for match in found]
        words = [match[0].casefold() for match in found]
        private = [False] * len(words)
        for start, run in enumerate(_runs(words, self._longest + 1)):
            if run in self._runs:
                private[start : start + self._longest + 1] = [True] * (self._longest + 1)
        pieces = []
        done = 0
        index = 0
        while index < len(words):
            if not private[index]:
                index += 1
                continue
            last = index
            while last + 1 < len(words) and private[last + 1]:
                last += 1
            pieces += [text[done : places[index][0]], WITHHELD]
            done = places[last][1]
            index = last + 1
        return "".join(pieces) + text[done:]


def _words(text: str) -> list[str]:
    return [word.casefold() for word in re.findall(r"\w+", text)]


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
