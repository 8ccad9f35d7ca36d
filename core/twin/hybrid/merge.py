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
    turn: str, facts: Sequence[Fact], embedder: Embedder, check: Check, names: Collection[str], withheld: Withheld
) -> Told:
    """The turn, sentence by sentence: kept, dropped, or replaced by the nearest of CONTEXT in the first person.

    No fact is told twice; one whose words are not to be shown is not told.
    """
    each = check(turn)
    tellable = _tellable(facts, names, withheld)
    wanting = [one.sentence for one in each if one.verdict == "unsupported"]
    nearness = np.zeros((len(wanting), 0))
    if wanting and tellable:
        vectors = embedder.embed([*wanting, *tellable])
        nearness = np.round(vectors[: len(wanting)] @ vectors[len(wanting) :].T, 4)
    kept: list[str] = []
    replaced = dropped = row = 0
    used = {" ".join(one.sentence.casefold().split()) for one in each if one.verdict == "supported"}
    for one in each:
        if assistant_phrase(one.sentence):
            row += one.verdict == "unsupported"
            dropped += 1
            continue
        if one.verdict != "unsupported":
            kept.append(one.sentence)
            continue
        order = sorted(range(nearness.shape[1]), key=lambda place: (-float(nearness[row][place]), place))
        chosen = next(
            (tellable[place] for place in order
             if nearness[row][place] >= NEAR and tellable[place].casefold() not in used),
            None,
        )  # fmt: skip
        row += 1
        if chosen is None:
            dropped += 1
        else:
            used.add(chosen.casefold())
            kept.append(chosen)
            replaced += 1
    return Told(" ".join(kept), replaced, dropped)


def _tellable(facts: Sequence[Fact], names: Collection[str], withheld: Withheld) -> list[str]:
    """Sentences of CONTEXT in the first person, those that may be shown word for word."""
    found = []
    for fact in facts:
        for sentence in sentences_of(fact.text):
            told = in_first_person(" ".join(sentence.text.split()), list(names))
            if len(told.split()) <= LONGEST and withheld.redact(told) == told:
                found.append(told)
    return list(dict.fromkeys(found))
