"""Figures of one system on held-out questions: bits per token, rank of the true answer, verbatim overlap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dataset.leaks import ngrams
from core.fidelity.heldout import Interview, turns_with
from core.fidelity.systems import System
from core.prompts.render import PromptTurn, Renderer, Scene
from core.scoring.likelihood import Likelihood, Segment

RANKED = 20
"""The true answer is ranked among this many."""
OVERLAP_WORDS = 5
"""Length of the runs of words that count as copied."""


@dataclass(frozen=True, slots=True)
class AnswerBits:
    """Bits and tokens of one real answer under a system."""

    exchange_uid: str
    bits: float
    tokens: int


def answer_bits(renderer: Renderer, likelihood: Likelihood, interview: Interview, system: System) -> list[AnswerBits]:
    """How many bits the real answers cost a system, each in its place after the real turns before it.

    Only the words count, not the mark that ends a turn.
    """
    found = []
    for stretch in interview.stretches:
        items = interview.items[stretch.first : stretch.stop]
        turns = [turns_with(item, system.shown) for item in items]
        scores = likelihood.score([scored_segments(renderer, interview.scene, turns)])[0]
        for index, item in enumerate(items):
            score = scores[str(index)]
            found.append(AnswerBits(item.exchange.uid, score.bits, score.tokens))
    return found


def scored_segments(renderer: Renderer, scene: Scene, turns: Sequence[PromptTurn]) -> list[Segment]:
    """The text of a conversation, with each answer's words as a scored segment named by its place."""
    segments = []
    for part in renderer.segments(renderer.messages(scene, turns)):
        if part.answer is None:
            segments.append(Segment(part.text))
            continue
        words = renderer.tokenizer.plain((turns[part.answer].answer or "").strip())
        segments += [Segment(words, str(part.answer)), Segment(part.text[len(words) :])]
    return segments


@dataclass(frozen=True, slots=True)
class Lineup:
    """For each held-out question, the true answer's row among ``answers`` and the rows it is ranked with."""

    answers: list[str]
    vectors: NDArray[np.float32]
    """Shape (answers, dimension), unit length."""
    rows: list[list[int]]
    """For each question, the true answer's index first, then its distractors'."""

    def outside(self) -> list[int] | None:
        """For each question, an answer that it is not ranked with; None where every answer is."""
        every = range(len(self.answers))
        rest = [[index for index in every if index not in row] for row in self.rows]
        return [each[position % len(each)] for position, each in enumerate(rest)] if all(rest) else None


def line_up(answers: list[str], vectors: NDArray[np.float32], seed: int = 0) -> Lineup:
    """Draw 19 of the other held-out answers for each question; fewer where there are fewer."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    rows = []
    for index in range(len(answers)):
        others = [other for other in range(len(answers)) if other != index]
        rows.append([index, *chance.sample(others, min(RANKED - 1, len(others)))])
    return Lineup(answers, vectors, rows)


def reciprocal_ranks(lineup: Lineup, generated: NDArray[np.float32]) -> list[float]:
    """1 / rank of the true answer by likeness to what was generated; ``generated`` has one row per question.

    A tie counts against the true answer.
    """
    ranks = []
    for row, vector in zip(lineup.rows, generated, strict=True):
        likeness = np.round(lineup.vectors[row] @ vector, 6)
        ranks.append(1 / int((likeness >= likeness[0]).sum()))
    return ranks


def likeness_to_truth(lineup: Lineup, generated: NDArray[np.float32]) -> list[float]:
    """Cosine between what was generated and the true answer, for each question."""
    return [
        round(float(lineup.vectors[row[0]] @ vector), 4) for row, vector in zip(lineup.rows, generated, strict=True)
    ]


def copied_share(text: str, known: set[tuple[str, ...]]) -> tuple[int, int]:
    """How many of a text's word 5-grams stand verbatim in the corpus, and how many it has."""
    words = ngrams(text, OVERLAP_WORDS)
    return len(words & known), len(words)
