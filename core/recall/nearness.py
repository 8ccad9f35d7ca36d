"""Judge a memory by how near it is to the question: what a live talk has time for.

A likelihood under a model of 135M parameters costs a CPU a second or two for five memories, and in the sample the
passages that it lets through help the real answers less than all that were found do (bench/README.md, recall_pays). So
the twin is shown what is near enough; the review, which has the time, keeps the slower judge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.models.embedder import Embedder
from core.models.generation import CallFailed
from core.recall.asked import Asked
from core.recall.judge import Judged, Verdict


class NearnessJudge:
    """The verdict is the cosine of question and memory above the least that counts, so 0 divides as for every judge."""

    def __init__(self, embedder: Embedder, least: float) -> None:
        self._embedder = embedder
        self._least = least
        self.identity = f"nearness:{embedder.spec.model}:{embedder.spec.revision}:{least}"

    @property
    def compares(self) -> bool:
        return False

    async def judge(self, asked: Asked, memories: Sequence[Judged], unrelated: str) -> list[Verdict | CallFailed]:
        """One verdict for each memory; with what was said before, the nearer of the two questions counts."""
        asked_as = [asked.question, f"{asked.context}\n{asked.question}"] if asked.context else [asked.question]
        vectors = self._embedder.embed([*asked_as, *(memory.text for memory in memories)])
        likeness = (vectors[len(asked_as) :] @ vectors[: len(asked_as)].T).max(axis=1)
        return [Verdict(round(float(value) - self._least, 4), None) for value in np.round(likeness, 4)]
