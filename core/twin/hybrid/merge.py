"""The merge without a model: the simulated turn, with its unsupported facts replaced by CONTEXT's or taken out.

Grounded by construction: what states no fact keeps the persona's words, what does stands in CONTEXT.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.twin.guard import Withheld
from core.twin.hybrid.claims import Checked
from core.twin.hybrid.facts import Fact
from core.twin.hybrid.first_person import in_first_person
from core.twin.hybrid.style import assistant_phrase

NEAR = 0.3
"""Least likeness of a sentence and a fact for the fact to be told in its place."""
BEARING = 0.25
"""Least likeness of that fact and the question: an answer that bears on nothing is none."""
LONGEST = 45
"""Words of a sentence of CONTEXT that may be told."""

Check = Callable[[str], list[Checked]]


@dataclass(frozen=True, slots=True)
class Told:
    """A text made of a simulated turn by rule; how many of its sentences were replaced, and how many taken out."""

    text: str
    replaced: int = 0
    dropped: int = 0


def without_unsupported(turn: str, check: Check) -> Told:
    """The turn without the sentences that nothing supports and those that an assistant would say."""
    each = check(turn)
    kept = [one.sentence for one in each if one.verdict != "unsupported" and not assistant_phrase(one.sentence)]
    return Told(" ".join(kept), 0, len(each) - len(kept))


def merged_by_rule(
    turn: str,
    facts: Sequence[Fact],
    embedder: Embedder,
    check: Check,
    names: Collection[str],
    withheld: Withheld,
    question: str = "",
) -> Told:
    """The turn, sentence by sentence: kept, dropped, or replaced by the nearest of CONTEXT in the first person.

    No fact is told twice; one whose words are not to be shown, or that is far from the question, is not told.
    """
    found = check(turn)
    each = [one for one in found if not assistant_phrase(one.sentence)]
    dropped = len(found) - len(each)
    nearest = _nearest([one.sentence for one in each if one.verdict == "unsupported"],
                       _tellable(facts, names, withheld), question, embedder)  # fmt: skip
    kept: list[str] = []
    told: set[str] = {_key(one.sentence) for one in each if one.verdict == "supported"}
    replaced = 0
    for one in each:
        if one.verdict != "unsupported":
            kept.append(one.sentence)
            continue
        chosen = next((fact for fact in nearest[one.sentence] if _key(fact) not in told), None)
        if chosen is None:
            dropped += 1
        else:
            told.add(_key(chosen))
            kept.append(chosen)
            replaced += 1
    return Told(" ".join(kept), replaced, dropped)


def _nearest(
    wanting: Sequence[str], tellable: Sequence[str], question: str, embedder: Embedder
) -> dict[str, list[str]]:
    """For each sentence the facts that are near enough to it and to the question, the nearest first."""
    if not wanting or not tellable:
        return {sentence: [] for sentence in wanting}
    asked = [question] if question.strip() else []
    vectors = embedder.embed([*wanting, *asked, *tellable])
    facts = vectors[len(wanting) + len(asked) :]
    likeness = np.round(vectors[: len(wanting)] @ facts.T, 4)
    bearing = np.round(facts @ vectors[len(wanting)], 4) if asked else np.ones(len(tellable))
    found = {}
    for sentence, row in zip(wanting, likeness, strict=True):
        near = [place for place in range(len(tellable)) if row[place] >= NEAR and bearing[place] >= BEARING]
        near.sort(key=lambda place: (-float(row[place]), place))
        found[sentence] = [tellable[place] for place in near]
    return found


def _key(sentence: str) -> str:
    return " ".join(sentence.casefold().split())


def _tellable(facts: Sequence[Fact], names: Collection[str], withheld: Withheld) -> list[str]:
    """Sentences of CONTEXT in the first person, those that may be shown word for word."""
    found = []
    for fact in facts:
        for sentence in sentences_of(fact.text):
            told = in_first_person(" ".join(sentence.text.split()), list(names))
            if len(told.split()) <= LONGEST and withheld.redact(told) == told:
                found.append(told)
    return list(dict.fromkeys(found))
