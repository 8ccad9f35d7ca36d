"""What comes back to the target when asked: the one path from a question to memories, for every stage.

Recall over the corpus, evaluation and chat all call this, so that the twin is measured with the memories it will have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from core.models.embedder import Embedder
from core.prompts.render import RecalledMemory
from core.recall.judge import LikelihoodJudge, Verdict
from core.recall.retell import ExtractiveWriter, Retold
from core.retrieval.search import Found, Query, Searcher
from core.settings import Settings
from core.store.chunks import Passage

UNRELATED_POOL = 50
"""The unrelated passage is drawn from the far half of this many passages."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who asks it, and when: ``before`` is the as-of day, None for no limit."""

    question: str
    asker: str = ""
    before: int | None = None
    conversation_id: int = 0
    """The conversation it belongs to, which is never searched; 0 for none."""
    answer: str | None = None
    """The real answer where there is one, for the second opinion only."""


@dataclass(frozen=True, slots=True)
class Recollection:
    """One candidate memory: the passage, its retelling, and the verdict on it."""

    found: Found
    retold: Retold
    verdict: Verdict

    def remembered(self) -> RecalledMemory:
        return as_memory(self.retold.text, self.found.passage)


def as_memory(text: str, passage: Passage) -> RecalledMemory:
    """A memory as prompts show it."""
    return RecalledMemory(text, passage.date, passage.title)


class Recollector:
    """Retrieves, retells and judges."""

    def __init__(
        self, settings: Settings, searcher: Searcher, writer: ExtractiveWriter, judge: LikelihoodJudge
    ) -> None:
        self._settings = settings
        self._searcher = searcher
        self._writer = writer
        self._judge = judge

    @property
    def embedder(self) -> Embedder:
        return self._searcher.embedder

    def recollect(self, asked: Asked, accept: Callable[[Passage], bool]) -> list[Recollection]:
        """The best candidates, in the retriever's order, each judged. Passages that ``accept`` refuses stay unseen."""
        limits = self._settings.retrieval
        found = self._searcher.search(
            Query(
                asked.question,
                k=UNRELATED_POOL,
                before=asked.before,
                mode=limits.mode,
                include_undated=limits.include_undated,
                not_conversation=asked.conversation_id,
            ),
            accept,
        )
        best = found[: self._settings.recall.candidates]
        if not best:
            return []
        unrelated = _unrelated(asked.question, found[len(best) :])
        retold = self._writer.retell(asked.question, [hit.passage.chunk.text for hit in (*best, *unrelated)])
        # Where there is no other passage at all, a memory is compared with none.
        null = retold[len(best)].text if unrelated else ""
        verdicts = self._judge.judge(
            asked.asker, asked.question, [each.text for each in retold[: len(best)]], null, asked.answer
        )
        return [Recollection(*each) for each in zip(best, retold, verdicts, strict=False)]

    def useful(self, recollections: list[Recollection]) -> list[Recollection]:
        """Those that the judge finds useful by the question alone: what reaches the twin's prompt."""
        return [each for each in recollections if each.verdict.question >= self._settings.recall.threshold]


def _unrelated(question: str, rest: list[Found]) -> list[Found]:
    """One passage from the far half of the rest, chosen by the question's hash: the same one every time."""
    far = rest[len(rest) // 2 :]
    digest = sha256(question.encode("utf-8", "replace")).digest()
    return [far[int.from_bytes(digest[:4]) % len(far)]] if far else []
