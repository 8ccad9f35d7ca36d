"""Judge a memory's usefulness by the question alone, without a judge model: query likelihood.

How much likelier does the memory make the question than an unrelated passage of the same person does? At inference
there is no answer, so this alone decides. How much likelier it makes the real answer is a second opinion: recorded
apart, it never drops a memory and never reaches a prompt. Both figures are bits per token, from one batched pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.models.generation import CallFailed
from core.recall.asked import Asked
from core.scoring.likelihood import Likelihood, Segment
from core.store.database import Database

if TYPE_CHECKING:
    from core.models.causal_lm import CausalLM

LONGEST_QUESTION = 160
"""Tokens; a longer question is judged by its end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of a memory, in bits; above zero speaks for it.

    Of the likelihood judge: bits per token that the memory saves, on the question against an unrelated memory, on the
    answer against none. Of a model that is asked: the evidence for yes, ``log2(p / (1 - p))``.
    """

    question: float
    answer: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A memory to be judged, and whose words it holds: the uid of the passage's document or exchange."""

    text: str
    owner_uid: str


class Judge(Protocol):
    """Judges memories for a question."""

    @property
    def identity(self) -> str:
        """Whatever changes its verdicts: method, model, prompts, settings."""

    @property
    def compares(self) -> bool:
        """Whether it needs the memory of an unrelated passage to compare with."""

    async def judge(self, asked: Asked, memories: Sequence[Judged], unrelated: str) -> list[Verdict | CallFailed]:
        """For each memory a verdict, or why it could not be had."""


class LikelihoodJudge:
    """Judges with the persona's own base model."""

    def __init__(self, model: CausalLM, target: str, answer_tokens: int, database: Database | None) -> None:
        self._model = model
        self._target = target
        self._answer_tokens = answer_tokens
        self._likelihood = Likelihood(model, database)
        self.identity = f"likelihood:{model.identity}:{answer_tokens}"

    @property
    def compares(self) -> bool:
        return True

    async def judge(self, asked: Asked, memories: Sequence[Judged], unrelated: str) -> list[Verdict | CallFailed]:
        """One verdict for each memory; all of an exchange's texts are one cached unit."""
        question = self._tail(asked.question, LONGEST_QUESTION)
        answered = None if asked.answer is None else self._head(asked.answer, self._answer_tokens)
        # The unrelated memory is only there for the question.
        texts = [self._text(unrelated, asked.asker, question, None)]
        texts += [self._text(memory.text, asked.asker, question, answered) for memory in memories]
        if answered is not None:
            texts.append(self._text("", asked.asker, question, answered))
        scores = self._likelihood.score(texts)
        null = scores[0]["question"]
        verdicts: list[Verdict | CallFailed] = []
        for score in scores[1 : 1 + len(memories)]:
            gain = null.per_token - score["question"].per_token
            second = None
            if answered is not None:
                second = round(scores[-1]["answer"].per_token - score["answer"].per_token, 4)
            verdicts.append(Verdict(round(gain, 4), second))
        return verdicts

    def _text(self, memory: str, asker: str, question: str, answer: str | None) -> list[Segment]:
        remembered = f"{memory}\n\n" if memory else ""
        segments = [Segment(f"{remembered}{asker or 'Someone'}:"), Segment(f" {question}", "question")]
        if answer is not None:
            segments += [Segment(f"\n{self._target}:"), Segment(f" {answer}", "answer")]
        return segments

    def _head(self, text: str, limit: int) -> str:
        return self._model.tokenizer.decode(self._model.tokenizer.encode(text)[:limit])

    def _tail(self, text: str, limit: int) -> str:
        return self._model.tokenizer.decode(self._model.tokenizer.encode(text)[-limit:])
