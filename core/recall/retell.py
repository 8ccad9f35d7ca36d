"""Retell a passage for a question. The extractive writer quotes the passage's best sentences, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.corpus.sentences import Sentence, sentences_of
from core.models.embedder import Embedder
from core.models.generation import CallFailed
from core.recall.asked import Asked
from core.review.instructions import speaks_to_a_model
from core.store.chunks import Passage

MOST_WORDS = 70
"""A quote stops growing at this length."""
RECIPE = 3
"""Raised when the same passage would be quoted otherwise."""


@dataclass(frozen=True, slots=True)
class Retold:
    """A memory's words and the verbatim quote that anchors it: ``passage[start:stop] == quote``."""

    text: str
    quote: str
    start: int
    stop: int
    writer: str = "extractive"
    """``extractive``, ``model``, or ``quote``: a model's quote whose retelling was not grounded."""


class Writer(Protocol):
    """Retells passages for a question."""

    @property
    def identity(self) -> str:
        """Whatever changes what it writes: engine, model, prompts, settings."""

    async def retell(self, asked: Asked, passages: Sequence[Passage]) -> list[Retold | CallFailed | None]:
        """For each passage its memory, None where nothing in it bears on the question, or why it is to be parked."""


class ExtractiveWriter:
    """No model: the sentence nearest to the question, grown by its nearer neighbor. Grounded by construction."""

    def __init__(self, embedder: Embedder, sentences: int) -> None:
        self._embedder = embedder
        self._sentences = sentences
        self.identity = f"extractive:{RECIPE}:{sentences}:{embedder.spec.revision}"

    async def retell(self, asked: Asked, passages: Sequence[Passage]) -> list[Retold | CallFailed | None]:
        """The best sentences of each passage; there are always some."""
        return list(self.quote(asked.question, [passage.chunk.text for passage in passages]))

    def quote(self, question: str, passages: Sequence[str]) -> list[Retold]:
        """One memory for each passage, in their order."""
        cut = [sentences_of(passage) for passage in passages]
        texts = [question, *(sentence.text for found in cut for sentence in found)]
        vectors = self._embedder.embed(texts)
        # Rounded, so that the last bits of a float never choose between two sentences.
        similarity = np.round(vectors[1:] @ vectors[0], 4)
        retold = []
        offset = 0
        for passage, found in zip(passages, cut, strict=True):
            scores = similarity[offset : offset + len(found)].tolist()
            offset += len(found)
            retold.append(_quote(passage, *_without_orders(found, scores), self._sentences))
        return retold


def _without_orders(found: list[Sentence], scores: list[float]) -> tuple[list[Sentence], list[float]]:
    """The sentences that do not give orders to a model, with their scores; all of them where all do."""
    kept = [index for index, sentence in enumerate(found) if not speaks_to_a_model(sentence.text)]
    if not kept:
        return found, scores
    return [found[index] for index in kept], [scores[index] for index in kept]


def _quote(passage: str, told: list[Sentence], scores: list[float], most: int) -> Retold:
    """The best run of sentences. The quote spans it in the passage; the memory leaves out an order in between."""
    if not told:
        return Retold(passage, passage, 0, len(passage))
    first = last = max(range(len(told)), key=lambda index: (scores[index], -index))
    while last - first + 1 < most:
        before = scores[first - 1] if first > 0 else -1.0
        after = scores[last + 1] if last + 1 < len(told) else -1.0
        if before < 0 and after < 0:
            break
        grown = (first - 1, last) if before > after else (first, last + 1)
        if grown[0] < 0 or grown[1] >= len(told):
            break
        if len(_words(passage, told[grown[0] : grown[1] + 1])) > MOST_WORDS:
            break
        first, last = grown
    start, stop = told[first].start, told[last].stop
    return Retold(" ".join(_words(passage, told[first : last + 1])), passage[start:stop], start, stop)


def _words(passage: str, sentences: list[Sentence]) -> list[str]:
    text = ""
    stop = sentences[0].start
    for sentence in sentences:
        between = passage[stop : sentence.start]
        text += (" " if between.strip() else between) + sentence.text
        stop = sentence.stop
    return text.split()
