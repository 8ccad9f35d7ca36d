"""How far words are from the way the target writes, and whether they are an assistant's.

The distance is one minus the cosine of character 3- to 5-grams, damped by logarithm (a stylometrist's verifier in its
simplest form: Stamatatos 2013). A short text is always far from a long profile, so two texts are compared by windows of
one length, and not at all where that is too short to tell.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from core.store.documents import documents_of_kind
from core.store.texts import answers
from core.workspace import Workspace

LENGTHS = (3, 4, 5)
FEWEST_WORDS = 200
"""Of the target's, for their style to be known."""
WINDOW = 400
FEWEST_CHARACTERS = 80
"""Of either text, for their distances to be compared."""
MOST_CHARACTERS = 200_000
"""Of the target's that are read."""
_ASSISTANT = re.compile(
    r"\bas an? (?:ai|a\.i\.|artificial intelligence|(?:large )?language model|(?:virtual |ai )?assistant)\b"
    r"|\bi(?:'|’)?m (?:just |only )?an? (?:ai|language model|virtual assistant|assistant|chatbot)\b"
    r"|\bhow (?:can|may) i (?:help|assist)\b|\b(?:happy|glad|here) to (?:help|assist)\b"
    r"|\bi hope (?:this|that) helps\b|\bfeel free to (?:ask|reach out|let me know)\b"
    r"|\blet me know if (?:you|there)\b|\bis there anything else\b|\bgreat question\b"
    r"|\bi don(?:'|’)t have personal (?:experiences|opinions|feelings|memories)\b"
    r"|\bit(?:'|’)s important to (?:note|remember)\b|\bbased on the (?:context|information|provided)\b"
    r"|\baccording to the (?:context|provided)\b|\bin (?:the )?simulated chat\b|^(?:certainly|absolutely)!",
    re.I,
)


class Style:
    """A profile of somebody's words."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_grams(text))
        self._weights = _damped(counts)

    def distances(self, one: str, other: str) -> tuple[float, float] | None:
        """Of both texts, each from 0 for the same profile to 1 for nothing shared; None where one is too short."""
        texts = [" ".join(text.split()) for text in (one, other)]
        length = min(*(len(text) for text in texts), WINDOW)
        if length < FEWEST_CHARACTERS:
            return None
        first, second = (self._distance(text, length) for text in texts)
        return first, second

    def _distance(self, text: str, length: int) -> float:
        """The mean over windows of so many characters, each overlapping the next one by half."""
        starts = [*range(0, len(text) - length, max(1, length // 2)), len(text) - length]
        return round(sum(self._of_window(text[start : start + length]) for start in starts) / len(starts), 4)

    def _of_window(self, text: str) -> float:
        other = _damped(Counter(_grams(text)))
        return 1.0 - sum(weight * self._weights.get(gram, 0.0) for gram, weight in other.items())


def assistant_phrase(text: str) -> str:
    """The first words that an assistant would say and nobody else, or none."""
    match = _ASSISTANT.search(text)
    return match[0] if match else ""


def own_texts(workspace: Workspace) -> list[str]:
    """The target's answers, but for the held-out ones, and what they wrote where these are few; the newest that fit.

    Empty where there is too little to know a style by.
    """
    database = workspace.database
    texts = [answer for _, _, answer in answers(database)]
    if _words(texts) < FEWEST_WORDS:
        texts = [each.text for kind in ("writing", "journal") for each in documents_of_kind(database, kind)] + texts
    kept: list[str] = []
    room = MOST_CHARACTERS
    for text in reversed(texts):
        kept.append(text[:room])
        room -= len(text)
        if room <= 0:
            break
    return kept if _words(kept) >= FEWEST_WORDS else []


def _words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _grams(text: str) -> Iterable[str]:
    folded = f" {' '.join(text.casefold().split())} "
    return (folded[start : start + n] for n in LENGTHS for start in range(len(folded) - n + 1))


def _damped(counts: Counter[str]) -> dict[str, float]:
    weights = {gram: 1.0 + math.log(count) for gram, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {gram: weight / length for gram, weight in weights.items()}
