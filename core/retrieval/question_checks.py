"""Read what a writer answered when asked for questions: data from outside, of which little is believed.

An answer that is not the JSON asked for is no answer (``CallFailed``: it is asked again). Of one that is, each question
stands or falls by itself, with a reason that is counted.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

from core.models.generation import CallFailed, Told
from core.retrieval.function_words import FUNCTION_WORDS

CHECKS = "checks-1"
"""Named anew whenever another question would be let through: what was asked before is then asked again."""
LONGEST_ANSWER = 8_000
"""Characters; nobody needs as many for a few questions."""
FEWEST_WORDS = 3
MOST_WORDS = 30
LONGEST = 240
MOST_OVERLAP = 0.8
"""Share of stems that two questions may have in common."""
STEM = 5
UNPRINTED = ("Cc", "Cf", "Cs", "Co", "Cn")
JOINERS = "\u200c\u200d"
"""Without them Persian and some Indic words are misspelled."""
QUESTION_MARKS = ("?", "？", "؟", "՞")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}},
    "required": ["questions"],
    "additionalProperties": False,
}

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]")
"""Scripts that write no space between words."""
_ORDERS = re.compile(
    r"\b(ignore|disregard|forget|override|bypass)\b.{0,60}\b(above|previous|prior|earlier|instructions?|rules?|prompts?|"
    r"everything)\b"
    r"|\b(system|developer|hidden|secret) (prompt|message|instructions?)\b"
    r"|\b(answer|reply|respond|output|print|return|say)( only)?( with)? [\"'“‘]?(yes|no|true|false|json)\b"
    r"|\b(as an ai|language model|jailbreak)\b"
    r"|https?:|www\.|[<>{}\[\]|`\\]",
    re.IGNORECASE,
)
"""What gives orders to a reader, or carries markup or an address: no interviewer speaks like that."""
_ABOUT_THE_TEXT = re.compile(
    r"\b(the|this|that) (passage|excerpt|author|narrator|writer|speaker|article)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The questions that stand, in their order, and why others fell."""

    questions: tuple[str, ...]
    dropped: Counter[str]


def read_questions(told: Told, passage: str, most: int) -> Checked:
    """The questions of one answer about ``passage``, at most ``most``. Raises CallFailed where it is no answer."""
    if told.finish != "stop":
        raise CallFailed("length", "the writer's questions were cut off", retryable=True)
    dropped: Counter[str] = Counter()
    stems = _stems(passage)
    plain = _folded(passage)
    kept: list[str] = []
    for said in _strings(told.text):
        text = " ".join(said.split())
        reason = _objection(text, stems, plain, kept)
        if reason is None and len(kept) < most:
            kept.append(text)
        else:
            dropped[reason or "too many"] += 1
    return Checked(tuple(kept), dropped)


def _strings(text: str) -> list[str]:
    """The strings under ``questions``, of JSON that is nothing else."""
    if len(text) > LONGEST_ANSWER:
        raise CallFailed("too long", "the writer said far more than a few questions", retryable=True)
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise CallFailed("not json", "the writer's answer is not the JSON that was asked for", retryable=True) from None
    questions = answer.get("questions") if isinstance(answer, dict) and len(answer) == 1 else None
    if not isinstance(questions, list) or not all(isinstance(each, str) for each in questions):
        raise CallFailed("wrong shape", "the writer's JSON is not a list of questions", retryable=True)
    return questions


def _objection(text: str, passage: frozenset[str], plain: str, kept: list[str]) -> str | None:
    """Why a question is not taken, or None."""
    if any(unicodedata.category(each) in UNPRINTED and each not in JOINERS for each in text):
        return "control characters"
    if not text.endswith(QUESTION_MARKS):
        return "no question"
    words = _WORD.findall(text)
    # Where words are not spaced, a character says about as much as half a word.
    size = len(text) // 2 if _UNSPACED.search(text) else len(words)
    if not FEWEST_WORDS <= size <= MOST_WORDS or len(text) > LONGEST:
        return "length"
    if _ORDERS.search(text):
        return "instructions"
    if _ABOUT_THE_TEXT.search(text):
        return "about the text"
    if _folded(text) in plain:
        return "copied"
    stems = _stems(text)
    if not stems & passage:
        return "not of the passage"
    if any(_alike(stems, _stems(other)) or _folded(other) == _folded(text) for other in kept):
        return "repeated"
    return None


def _alike(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some | others) and len(some & others) / len(some | others) > MOST_OVERLAP


def _stems(text: str) -> frozenset[str]:
    """The beginnings of its words, function words left out; pairs of characters where words are not spaced."""
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if _UNSPACED.search(word):
            found.update(word[place : place + 2] for place in range(len(word) - 1))
        elif word not in FUNCTION_WORDS and len(word) > 1:
            found.add(word[:STEM])
    return frozenset(found)


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
