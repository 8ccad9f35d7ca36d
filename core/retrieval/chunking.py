"""Cut a text into passages of whole sentences, by the embedder's own tokens, with their offsets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from core.corpus.sentences import Sentence, sentences_of

TokenSpans = Callable[[str], list[tuple[int, int]]]
"""The character spans of a text's tokens, ascending."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One passage: ``source[start:stop]``."""

    start: int
    stop: int
    tokens: int


def cut_text(text: str, token_spans: TokenSpans, limit: int, overlap: int, language: str = "en") -> list[Cut]:
    """Pack sentences into passages of at most ``limit`` tokens.

    A passage that is over half full ends with its paragraph when the next paragraph would not fit. The next passage
    begins with the whole sentences at the end of the one before that fit ``overlap`` tokens. A single sentence over
    the limit is cut between words.
    """
    spans = token_spans(text)
    starts = [start for start, _ in spans]

    def count(start: int, stop: int) -> int:
        return bisect_left(starts, stop) - bisect_left(starts, start)

    units = [unit for sentence in sentences_of(text, language) for unit in _within_limit(sentence, text, starts, limit)]
    cuts: list[Cut] = []
    first = 0
    while first < len(units):
        last = first
        while last + 1 < len(units) and count(units[first].start, units[last + 1].stop) <= limit:
            last += 1
        last = _end_with_paragraph(units, first, last, limit, count)
        start, stop = units[first].start, units[last].stop
        cuts.append(Cut(start, stop, count(start, stop)))
        following = last + 1
        if following == len(units):
            break
        begin = following
        while (
            begin - 1 > first
            and count(units[begin - 1].start, stop) <= overlap
            and count(units[begin - 1].start, units[following].stop) <= limit
        ):
            begin -= 1
        first = begin
    return cuts


def _end_with_paragraph(
    units: list[Sentence], first: int, last: int, limit: int, count: Callable[[int, int], int]
) -> int:
    """The last unit of the last whole paragraph, when that leaves the passage over half full."""
    if last + 1 >= len(units) or units[last + 1].paragraph != units[last].paragraph:
        return last
    for end in range(last, first, -1):
        if units[end].paragraph != units[end - 1].paragraph:
            enough = count(units[first].start, units[end - 1].stop) * 2 > limit
            return end - 1 if enough else last
    return last


def _within_limit(sentence: Sentence, text: str, starts: list[int], limit: int) -> list[Sentence]:
    """The sentence itself, or its pieces of at most ``limit`` tokens, cut at white space where there is any."""
    first, stop = bisect_left(starts, sentence.start), bisect_left(starts, sentence.stop)
    if stop - first <= limit:
        return [sentence]
    pieces = []
    start = sentence.start
    while first < stop:
        end = min(first + limit, stop)
        border = sentence.stop if end == stop else starts[end]
        while end < stop and end > first + 1 and not text[border - 1].isspace():
            end -= 1
            border = starts[end]
        if end <= first + 1 and stop - first > limit:
            end = first + limit
            border = starts[end]
        pieces.append(
            Sentence(text[start:border].strip(), start, start + len(text[start:border].rstrip()), sentence.paragraph)
        )
        start, first = border, end
    return pieces
