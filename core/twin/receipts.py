"""Which passages an answer rests on, sentence by sentence: supported, a matter of style, or unsupported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.corpus.sentences import sentences_of
from core.recall.recollect import Recollection
from core.scoring.inference import Inference
from core.store.chunks import Passage
from core.twin.particulars import content_words, names_in, numbers_in, words_of
from core.twin.support import LEAST_CHANCE, Match, Matcher

ReceiptKind = Literal["supported", "style", "unsupported"]

WORTH_ASKING = 0.1
"""Chance by features from which a model of inference is asked, where there is one."""
_COURTESY = frozenset(
    """
    hello hi hey good morning afternoon evening night day bye goodbye welcome thank thanks please sorry pardon excuse
    yes yeah oh ah well indeed course certainly surely sure really rather quite perhaps maybe possibly right true fine
    nice glad pleased happy afraid kind dear friend sir madam say says said tell told think thought know knew suppose
    mean meant see like liked want wish care mind feel felt believe hope guess imagine dare wonder let us ask asked
    question answer thing things way matter sort lot bit much simply always ever must may might need
    """.split()  # noqa: SIM905
)
"""Words that greet, soften or comment, and claim nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One sentence of an answer and the recalled passage that supports it; ``source`` is None without one."""

    sentence: str
    source: Recollection | None
    score: float
    """Chance that the best passage supports it, from 0 to 1."""
    kind: ReceiptKind = "unsupported"


def receipts_of(
    answer: str, recollections: Sequence[Recollection], matcher: Matcher | None, inference: Inference | None = None
) -> list[Receipt]:
    """Match each sentence with the recalled passage that is likeliest to support it; without a matcher, with none.

    Where a model of inference is given it has the last word on what the features find possible. Raises ModelError.
    """
    sentences = [sentence.text for sentence in sentences_of(answer)]
    if not sentences or not recollections or matcher is None:
        return [Receipt(sentence, None, 0.0, _unmatched(sentence)) for sentence in sentences]
    rows = matcher.match(sentences, [each.found.passage.chunk.text for each in recollections])
    chances = [[match.chance for match in row] for row in rows]
    if inference is not None:
        chances = _inferred(sentences, rows, inference)
    receipts = []
    for sentence, row in zip(sentences, chances, strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        score = round(row[best], 4)
        if score >= LEAST_CHANCE and not sentence.endswith("?"):
            receipts.append(Receipt(sentence, recollections[best], score, "supported"))
        else:
            receipts.append(Receipt(sentence, None, score, _unmatched(sentence)))
    return receipts


def honest(answer: str) -> tuple[Receipt, ...]:
    """What an answer that says it does not know rests on: it claims nothing, so nothing need support it."""
    return tuple(Receipt(sentence.text, None, 0.0, "style") for sentence in sentences_of(answer))


def is_style(sentence: str) -> bool:
    """Whether a sentence claims nothing: a question, a greeting, an opinion without content."""
    if sentence.rstrip("\"”’')").endswith("?"):
        return True
    words = words_of(sentence)
    if names_in(sentence) or any(not each.vague for each in numbers_in(words)):
        return False
    return all(word in _COURTESY for word in content_words(words))


def shown_title(passage: Passage) -> str:
    """A passage's title, unless it may only be recalled: a private title can tell as much as its text."""
    return (
        passage.title if passage.use == "train" else f"a private {'journal' if passage.kind == 'journal' else 'text'}"
    )


def _unmatched(sentence: str) -> ReceiptKind:
    return "style" if is_style(sentence) else "unsupported"


def _inferred(sentences: Sequence[str], rows: Sequence[Sequence[Match]], inference: Inference) -> list[list[float]]:
    """Chances in which entailment stands for what the features found possible; a veto stays one."""
    asked = [
        (place, number)
        for place, row in enumerate(rows)
        for number, match in enumerate(row)
        if match.chance >= WORTH_ASKING
    ]
    verdicts = inference.infer([(rows[place][number].around, sentences[place]) for place, number in asked])
    chances = [[0.0] * len(row) for row in rows]
    for (place, number), verdict in zip(asked, verdicts, strict=True):
        chances[place][number] = verdict.entail
    return chances
