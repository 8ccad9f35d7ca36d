"""Judge a memory's usefulness by the question alone, without a judge model: query likelihood.

How much likelier does the memory make the question than an unrelated passage of the same person does? At inference
there is no answer, so this alone decides. How much likelier it makes the real answer is a second opinion: recorded
apart, it never drops a memory and never reaches a prompt. Both figures are bits per token, from one batched pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.causal_lm import CausalLM
from core.scoring.likelihood import Likelihood, Segment
from core.store.database import Database

LONGEST_QUESTION = 160
"""Tokens; a longer question is judged by its end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Bits per token that a memory saves: on the question against an unrelated memory, on the answer against none."""

    question: float
    answer: float | None


class LikelihoodJudge:
    """Judges with the persona's own base model."""

    def __init__(self, model: CausalLM, target: str, answer_tokens: int, database: Database | None) -> None:
        self._model = model
        self._target = target
        self._answer_tokens = answer_tokens
        self._likelihood = Likelihood(model, database)
        self.identity = f"likelihood:{model.identity}:{answer_tokens}"

    def judge(
        self, asker: str, question: str, memories: Sequence[str], unrelated: str, answer: str | None
    ) -> list[Verdict]:
        """One verdict for each memory; all of an exchange's texts are one cached unit."""
        asked = self._tail(question, LONGEST_QUESTION)
        answered = None if answer is None else self._head(answer, self._answer_tokens)
        # The unrelated memory is only there for the question.
        texts = [self._text(unrelated, asker, asked, None)]
        texts += [self._text(memory, asker, asked, answered) for memory in memories]
        if answered is not None:
            texts.append(self._text("", asker, asked, answered))
        scores = self._likelihood.score(texts)
        null = scores[0]["question"]
        verdicts = []
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
