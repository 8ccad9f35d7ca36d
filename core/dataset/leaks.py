"""The guard: no near-copy of a held-out answer may stand where the twin can learn or recall it.

Near-copy: Jaccard similarity of word 8-grams of at least 0.2 (METHODS §6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NGRAM = 8
THRESHOLD = 0.2


@dataclass(frozen=True, slots=True)
class Leak:
    """A held-out answer and the text that nearly repeats it."""

    heldout: str
    """Uid of the held-out exchange."""
    where: str
    similarity: float


def ngrams(text: str, n: int = NGRAM) -> set[tuple[str, ...]]:
    """The word n-grams of a text, case and punctuation aside."""
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right) if left and right else 0.0


def find_leaks(heldout: Iterable[tuple[str, str]], texts: Iterable[tuple[str, str]]) -> list[Leak]:
    """Compare held-out answers (uid, text) with other texts (where, text), as long as a passage each."""
    held = [(uid, ngrams(answer)) for uid, answer in heldout]
    by_gram: dict[tuple[str, ...], set[int]] = {}
    for index, (_, grams) in enumerate(held):
        for gram in grams:
            by_gram.setdefault(gram, set()).add(index)
    leaks = []
    for where, text in texts:
        grams = ngrams(text)
        for index in sorted({index for gram in grams for index in by_gram.get(gram, ())}):
            similarity = jaccard(held[index][1], grams)
            if similarity >= THRESHOLD:
                leaks.append(Leak(held[index][0], where, round(similarity, 3)))
    return leaks
