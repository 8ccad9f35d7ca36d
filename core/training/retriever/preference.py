"""Which of a question's passages a language model answers best from: the target of the likelihood loss.

``p_LSR(c) = softmax_c(p(answer | c, question) / tau)`` (RA-DIT, Lin et al. 2023), where p is the geometric mean of the
tokens' probabilities: the probability of a whole answer is 0 in any float beyond some twenty tokens, and the target
then flat. Each passage's scores are one unit of the cache, so a killed run repeats none that it finished.
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
    from core.models.chat_tokenizer import ChatTokenizer

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
    watch: Callable[[int, int], None],
) -> list[NDArray[np.float64]]:
    """Bits per token of each question's real answer after each of its candidates, in their order.

    Passage by passage, each read once for all the questions that found it: more than half of what a model reads
    otherwise are the same passages again. ``watch`` is told how many of how many passages are done, before each and at
    the end; it may raise to stop.
    """
    likelihood = Likelihood(model, database)
    scores = [np.zeros(len(example.candidates)) for example in examples]
    finders: dict[int, list[tuple[int, int]]] = {}
    for number, example in enumerate(examples):
        for place, chunk in enumerate(example.candidates):
            finders.setdefault(chunk, []).append((number, place))
    spoken = [_spoken(model.tokenizer, target, example, answer_tokens) for example in examples]
    for done, (chunk, found_by) in enumerate(finders.items()):
        watch(done, len(finders))
        text = passages(database, [chunk])[chunk].chunk.text
        rows = likelihood.score_after(text, [spoken[number] for number, _ in found_by])
        for (number, place), row in zip(found_by, rows, strict=True):
            scores[number][place] = row["answer"].per_token
    watch(len(finders), len(finders))
    return scores


def _spoken(tokenizer: ChatTokenizer, target: str, example: Example, answer_tokens: int) -> list[Segment]:
    """What follows a passage: the question's end, and the beginning of the real answer, which is scored."""
    exchange = example.exchange
    question = tokenizer.decode(tokenizer.encode(exchange.question)[-LONGEST_QUESTION:])
    answer = tokenizer.decode(tokenizer.encode(exchange.answer)[:answer_tokens])
    return [Segment(f"\n\n{exchange.asker or 'Someone'}: {question}\n{target}:"), Segment(f" {answer}", "answer")]


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
