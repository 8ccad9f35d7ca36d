"""Which of a question's passages a language model answers best from: the target of the likelihood loss.

``p_LSR(c) = softmax_c(p(answer | c, question) / tau)`` (RA-DIT, Lin et al. 2023), where p is the geometric mean of the
tokens' probabilities: the probability of a whole answer is 0 in any float beyond some twenty tokens, and the target
then flat. Each question's scores are one unit of the cache, so a killed run repeats none that it finished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.scoring.likelihood import Likelihood, Segment
from core.store.chunks import passages
from core.store.database import Database
from core.training.retriever.examples import Example

if TYPE_CHECKING:
    from core.models.causal_lm import CausalLM

LONGEST_QUESTION = 160
"""Tokens; a longer question is read by its end, as the judge reads it."""
FLAT = 0.995
"""Share of the largest entropy from which a target teaches next to nothing."""


def score_answers(
    model: CausalLM,
    database: Database,
    target: str,
    examples: Sequence[Example],
    answer_tokens: int,
    watch: Callable[[int], None],
) -> list[NDArray[np.float64]]:
    """Bits per token of each question's real answer after each of its candidates, in their order.

    ``watch`` is told how many questions are done, before each and at the end; it may raise to stop.
    """
    likelihood = Likelihood(model, database)
    scores = []
    for done, example in enumerate(examples):
        watch(done)
        found = passages(database, example.candidates)
        question = model.tokenizer.decode(model.tokenizer.encode(example.exchange.question)[-LONGEST_QUESTION:])
        answer = model.tokenizer.decode(model.tokenizer.encode(example.exchange.answer)[:answer_tokens])
        texts = [
            [
                Segment(f"{found[each].chunk.text}\n\n{example.exchange.asker or 'Someone'}: {question}\n{target}:"),
                Segment(f" {answer}", "answer"),
            ]
            for each in example.candidates
        ]
        rows = likelihood.score(texts)
        scores.append(np.array([row["answer"].per_token for row in rows], dtype=np.float64))
    watch(len(examples))
    return scores


def preference(bits_per_token: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """The target over one question's candidates, from the answer's bits per token after each; shape (candidates,)."""
    scores = np.exp2(-bits_per_token) / tau
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def flatness(target: NDArray[np.float64]) -> float:
    """The target's entropy as a share of the largest it could have: 1 where it says nothing, 0 where it is certain."""
    if len(target) < 2:
        return 1.0
    there = target[target > 0]
    return float(-(there * np.log(there)).sum() / np.log(len(target)))
