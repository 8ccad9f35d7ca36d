"""Anchor a quote in its passage: a memory must cite words that are there (METHODS §1.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import ceil

FEWEST_WORDS = 4
LEAST_SHARE = 0.6
"""Of a quote's words that must stand in one run in the passage."""
_WORD = re.compile(r"[^\W_]+(?:['’‘ʼ][^\W_]+)*")
_APOSTROPHES = str.maketrans("’‘ʼ", "'''")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a quote stands: ``passage[start:stop] == quote``, verbatim."""

    quote: str
    start: int
    stop: int


def anchor(quote: str, passage: str) -> Anchor | None:
    """The longest run of the quote's words in the passage, or None when it is too short to be a quote.

    Case, punctuation and white space are passed over in the comparison. The run must hold at least
    ``max(4, 0.6·n)`` of the quote's n words; what is returned are the passage's own words, with the punctuation that
    closes them.
    """
    wanted = [match[0].casefold().translate(_APOSTROPHES) for match in _WORD.finditer(quote)]
    places = list(_WORD.finditer(passage))
    found = [match[0].casefold().translate(_APOSTROPHES) for match in places]
    needed = max(FEWEST_WORDS, ceil(LEAST_SHARE * len(wanted) - 1e-9))
    if len(wanted) < needed:
        return None
    run = SequenceMatcher(None, found, wanted, autojunk=False).find_longest_match()
    if run.size < needed:
        return None
    start, stop = places[run.a].start(), places[run.a + run.size - 1].end()
    while stop < len(passage) and passage[stop] in ".,;:!?…)]”’\"'":
        stop += 1
    return Anchor(passage[start:stop], start, stop)
