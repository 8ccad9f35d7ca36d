"""The judge that is a model: yes or no, by the question alone first; whether the answer draws on it, apart."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

from core.calls.caller import Caller
from core.models.generation import Ask, CallFailed, Told
from core.prompts.asks import AskPrompt
from core.recall.asked import Asked
from core.recall.judge import Judged, Verdict

CHOICES = ("yes", "no")
SAID = 1.0
"""Bits of a yes or no whose probability the server does not tell."""
MOST_BITS = 10.0
LEAST_CERTAIN = 0.05
"""Probability of yes and no together under which their ratio says nothing: the model began to say something else."""


class ModelJudge:
    """Asks a model about each memory, in a call of its own: no verdict can lean on another."""

    def __init__(self, caller: Caller, target: str, prompts: Path | None, second_opinion: bool) -> None:
        self._caller = caller
        self._target = target
        self._question = AskPrompt("judge_question", prompts)
        self._answer = AskPrompt("judge_answer", prompts)
        self._second_opinion = second_opinion
        parts = [self._question.version, *([self._answer.version] if second_opinion else [])]
        self.identity = ":".join(["model", caller.identity, *parts])

    @property
    def compares(self) -> bool:
        return False

    async def judge(self, asked: Asked, memories: Sequence[Judged], unrelated: str) -> list[Verdict | CallFailed]:
        return list(await asyncio.gather(*(self._judge(asked, memory) for memory in memories)))

    async def _judge(self, asked: Asked, memory: Judged) -> Verdict | CallFailed:
        """By the question alone first; the answer is only looked at once that verdict stands."""
        told = {"name": self._target, "asker": asked.asker, "question": asked.question, "memory": memory.text}
        about = [uid for uid in (memory.owner_uid, asked.uid) if uid]
        try:
            by_question = await self._caller.ask(
                Ask(self._question.messages(**told), 1, choices=CHOICES), evidence, purpose="judge", about=about
            )
            by_answer = None
            if asked.answer is not None and self._second_opinion:
                by_answer = await self._caller.ask(
                    Ask(self._answer.messages(**told, answer=asked.answer), 1, choices=CHOICES), evidence,
                    purpose="judge by the answer", about=about,
                )  # fmt: skip
        except CallFailed as error:
            return error
        return Verdict(by_question, by_answer)


def evidence(told: Told) -> float:
    """Bits for yes: the log-odds where probabilities are told, else one bit. Raises CallFailed for another word."""
    if told.chances:
        yes, no = (max(told.chances.get(choice, 0.0), 0.0) for choice in CHOICES)
        if yes + no >= LEAST_CERTAIN:
            odds = math.log2(max(yes, 1e-9) / max(no, 1e-9))
            return round(max(-MOST_BITS, min(MOST_BITS, odds)), 4)
    word = told.text.strip().strip(".!\"'*`").casefold()
    if word not in CHOICES:
        raise CallFailed("no verdict", "the answer is neither yes nor no", retryable=True)
    return SAID if word == "yes" else -SAID
