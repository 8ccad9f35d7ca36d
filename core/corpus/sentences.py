"""Sentences with their place in a text, by sentencex (the Wikimedia Foundation's multilingual segmenter)."""

from __future__ import annotations

from dataclasses import dataclass

import sentencex


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; ``text`` is exactly ``source[start:stop]``, without white space around it."""

    text: str
    start: int
    stop: int
    paragraph: int


def sentences_of(text: str, language: str = "en") -> list[Sentence]:
    """Cut a text into sentences; line breaks part paragraphs."""
    found: list[Sentence] = []
    offset = 0
    paragraph = 0
    for piece in sentencex.segment(language or "en", text):
        for line in piece.splitlines(keepends=True):
            words = line.strip()
            if words:
                start = offset + line.index(words[0])
                found.append(Sentence(words, start, start + len(words), paragraph))
            offset += len(line)
            if line.endswith(("\n", "\r")):
                paragraph += 1
    return found
