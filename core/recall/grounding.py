"""Whether a retelling says only what its passage says: a check of words, names and numbers that needs no model.

It is strict on purpose: a retelling that fails it is not stored, its verbatim quote is. Words are compared by their
first letters, so that "wrote" may become "writing" and "harbor" "harbors"; a text in another language than its
passage, the echo of a prompt, or a sentence out of nowhere shares too little and fails.
"""

from __future__ import annotations

import re

LONGEST_WORDS = 70
"""Of a retelling: one or two sentences (RAFT)."""
MOST_NEW = 0.5
"""Share of a retelling's longer words that neither the passage nor the question may hold."""
LEAST_OLD = 0.4
"""Share of them that the passage itself must hold: the question's words alone are no memory."""
STEM = 5
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:]\s+|[\"“‘(]\s*)$")


def ungrounded(text: str, passage: str, question: str, known: str) -> str:
    """Why a retelling is not one, in a word or two; empty when it holds.

    ``known`` is what may be said besides: title, date, who speaks.
    """
    words = _WORD.findall(text)
    if not words:
        return "empty"
    if len(words) > LONGEST_WORDS:
        return "too long"
    numbers = set(_NUMBER.findall(f"{passage}\n{question}\n{known}"))
    # A date is told in parts: 2014-03-02 allows 2014.
    numbers |= {part for number in _NUMBER.findall(known) for part in re.split(r"\D", number)}
    if any(number not in numbers for number in _NUMBER.findall(text)):
        return "a number of its own"
    around = _stems(f"{passage}\n{question}\n{known}")
    if any(_stem(name) not in around for name in _names(text)):
        return "a name of its own"
    content = [_stem(word) for word in words if len(word) > STEM - 1]
    if not content:
        return ""
    inside = _stems(passage)
    if sum(stem not in around for stem in content) > MOST_NEW * len(content):
        return "words of its own"
    if sum(stem in inside for stem in content) < LEAST_OLD * len(content):
        return "not from the passage"
    return ""


def _names(text: str) -> list[str]:
    """Words with a capital inside a sentence, but for a lone I."""
    return [
        match[0]
        for match in _WORD.finditer(text)
        if len(match[0]) > 2 and match[0][0].isupper() and not _SENTENCE_START.search(text[: match.start()])
    ]


def _stem(word: str) -> str:
    return word.casefold().replace("’", "'").removesuffix("'s")[:STEM]


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text)}
