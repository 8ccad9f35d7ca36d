"""The guard: no near-copy of a held-out answer may stand where the twin can learn or recall it.

METHODS §6 asks for a Jaccard similarity of word 8-grams under 0.2. Measured so, a long text hides a copy in it; what
counts here is the share of the held-out answer's 8-grams that the other text holds, which is never the smaller figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.store.identity import bare_words

NGRAM = 8
THRESHOLD = 0.2

Ngrams = set[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Leak:
    """A held-out answer and the text that nearly repeats it."""

    heldout: str
    """Uid of the held-out exchange."""
    where: str
    share: float
    """Of the held-out answer's 8-grams, from 0.2 to 1."""


def ngrams(text: str, n: int = NGRAM) -> Ngrams:
    """The word n-grams of a text, case and punctuation aside."""
    words = bare_words(text)
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}


def find_leaks(heldout: Iterable[tuple[str, str]], texts: Iterable[tuple[str, str]]) -> list[Leak]:
    """Compare held-out answers (uid, text) with other texts (where, text) of any length."""
    held = [(uid, ngrams(answer)) for uid, answer in heldout]
    by_gram: dict[tuple[str, ...], set[int]] = {}
    for index, (_, grams) in enumerate(held):
        for gram in grams:
            by_gram.setdefault(gram, set()).add(index)
    leaks = []
    for where, text in texts:
        shared: dict[int, int] = {}
        for gram in ngrams(text):
            for index in by_gram.get(gram, ()):
                shared[index] = shared.get(index, 0) + 1
        for index, count in sorted(shared.items()):
            share = count / len(held[index][1])
            if share >= THRESHOLD:
                leaks.append(Leak(held[index][0], where, round(share, 3)))
    return leaks
