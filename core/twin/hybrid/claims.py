"""Whether a sentence states a fact, and whether CONTEXT supports it.

Support is a fact near enough, and no number, name or words of its own: likeness alone takes one year for another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.recall.grounding import ungrounded
from core.retrieval.function_words import FUNCTION_WORDS
from core.twin.hybrid.facts import Fact

Verdict = Literal["supported", "no claim", "unsupported"]
SUPPORT = 0.45
"""Least likeness between a sentence and a fact."""
STRONG = 0.6
"""Likeness from which a sentence may say a fact in words of its own; its numbers and names are checked all the same."""
_MATTERS = ("a number of its own", "a name of its own")
_LENIENT = ("", "too long")
_ASKS_WHETHER = re.compile(
    r"(?:^|[.!?,;:]\s+|\b(?:and|but|so|or)\s+)(?:do|did|does|are|were|was|is|have|had|has|can|could|will|would|should)n?['’]?t?\s+"
    r"(?:you|your|he|she|they|it|there|that|this|the)\b",
    re.I,
)
_POLARITY = re.compile(r"(?:oh|well|ah|and|but)?\W*(?:yes|no|aye|nay|yeah|nope|yep|never|always|of course)\b", re.I)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_STYLE = frozenset(
    """
    actually afraid agree ah ahead answer ask asked asking aye believe better bit bless certain certainly come course
    dear depends doubt enough er exactly expect eh fair fine fool forgive friend gladly glad goodness good goodbye grand
    gladly guess ha hello hear hi hm hmm hold honest honestly hope idea imagine indeed kind kindly know laugh least let
    like listen little look lot lots love lovely lucky luck make matter maybe mean mercy mind mostly much nah nay never
    nice nonsense oh okay ok opinion otherwise pardon perhaps plain please possibly pretty probably question quite
    rather reckon remember right sake saying say says see seem seems sense shame sir sorry sort speak speaking stop
    story such suppose sure surely talk talking tell telling thank thanks there thing things think thinking thought
    true truly truth try understand wait want way well wish wonder wonderful wondering word words worse worth would
    wrong yes yet
    """.split()  # noqa: SIM905
)
"""Words of opinion, courtesy and hesitation: how one talks, not what was."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence of an answer, and what CONTEXT says to it."""

    sentence: str
    verdict: Verdict
    score: float = 0.0
    """Likeness to the fact that is nearest."""
    why: str = ""


def checked(
    text: str, facts: Sequence[Fact], embedder: Embedder, question: str = "", names: Collection[str] = ()
) -> list[Checked]:
    """Each sentence of a text against the facts. ``names`` may be said by anybody: who talks, and the target."""
    told = "\n".join(fact.text for fact in facts)
    known = "\n".join([*names, *(f"{fact.title}\n{fact.date}" for fact in facts)])
    found: list[Checked] = []
    # From the end: a bare yes or no is as true as what is said after it.
    for sentence, score in reversed(_likeness(text, facts, embedder)):
        if not states_fact(sentence, names):
            if not (_ASKS_WHETHER.search(question) and _POLARITY.match(sentence)):
                found.append(Checked(sentence, "no claim", score))
            elif found and found[-1].verdict == "supported":
                found.append(Checked(sentence, "supported", score))
            else:
                found.append(Checked(sentence, "unsupported", score, "nothing supports it"))
            continue
        own = ungrounded(sentence, told, question, known)
        if score < SUPPORT:
            found.append(Checked(sentence, "unsupported", score, own if own in _MATTERS else "nothing supports it"))
        elif own in _LENIENT or (own not in _MATTERS and score >= STRONG):
            found.append(Checked(sentence, "supported", score))
        else:
            found.append(Checked(sentence, "unsupported", score, own))
    return found[::-1]


def states_fact(sentence: str, names: Collection[str] = ()) -> bool:
    """Whether a sentence says what was or is, rather than asks, greets or hesitates. ``names`` may be called.

    A rule for English, and a strict one: what may be a claim is one. In another language nearly every sentence is.
    """
    if any(letter.isdigit() for letter in sentence):
        return True
    if sentence.rstrip("\"'”’) ").endswith("?"):
        return False
    allowed = {word.casefold() for name in names for word in _WORD.findall(name)}
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(sentence)]
    return any(
        len(word) > 2 and word.partition("'")[0] not in FUNCTION_WORDS and word not in _STYLE and word not in allowed
        for word in words
    )


def _likeness(text: str, facts: Sequence[Fact], embedder: Embedder) -> list[tuple[str, float]]:
    """Each sentence of a text with its likeness (cosine) to the nearest fact; a fact of several sentences is as near as
    its nearest one."""
    sentences = [each.text for each in sentences_of(text)]
    pieces = [piece for fact in facts for piece in _pieces(fact)]
    if not sentences or not pieces:
        return [(sentence, 0.0) for sentence in sentences]
    vectors = embedder.embed([*sentences, *pieces])
    near = np.round(vectors[: len(sentences)] @ vectors[len(sentences) :].T, 4).max(axis=1)
    return [(sentence, round(float(each), 4)) for sentence, each in zip(sentences, near, strict=True)]


def _pieces(fact: Fact) -> list[str]:
    if fact.source is not None:
        return [fact.source.retold.quote]
    return [piece.text for piece in sentences_of(fact.text)] or [fact.text]
