"""What comes back to the target when asked: the one path from a question to memories, for every stage.

Recall over the corpus, evaluation and chat all call this, so that the twin is measured with the memories it will have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from core.models.embedder import Embedder
from core.models.generation import CallFailed
from core.prompts.render import RecalledMemory
from core.recall.asked import Asked
from core.recall.judge import Judge, Judged, Verdict
from core.recall.retell import ExtractiveWriter, Retold, Writer
from core.retrieval.search import Found, Query, Searcher
from core.settings import Settings
from core.store.chunks import Passage

if TYPE_CHECKING:
    from core.calls.caller import Caller, Stats

T = TypeVar("T")

UNRELATED_POOL = 50
"""The unrelated passage is drawn from the far half of this many passages."""
DEPTH = 4
"""Passages for each candidate that are looked for where no unrelated one is wanted, for the orders to agree on."""


@dataclass(frozen=True, slots=True)
class Recollection:
    """One candidate memory: the passage, its retelling, and the verdict on it."""

    found: Found
    retold: Retold
    verdict: Verdict

    def remembered(self) -> RecalledMemory:
        return as_memory(self.retold.text, self.found.passage)


@dataclass(frozen=True, slots=True)
class Recalled:
    """All that came of one question."""

    memories: tuple[Recollection, ...]
    """In the retriever's order."""
    retrieved: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Why passages gave no memory, and how many."""
    parked: tuple[CallFailed, ...] = ()
    """What could not be had of a model; the question is to be asked again."""


def as_memory(text: str, passage: Passage) -> RecalledMemory:
    """A memory as prompts show it."""
    return RecalledMemory(text, passage.date, passage.title)


class Recollector:
    """Retrieves, retells and judges. It belongs to one thread."""

    def __init__(
        self, settings: Settings, searcher: Searcher, writer: Writer, judge: Judge, callers: Sequence[Caller] = ()
    ) -> None:
        """``callers`` are those through which writer and judge ask models; the recollector closes them."""
        self._settings = settings
        self._searcher = searcher
        self.writer = writer
        self.judge = judge
        self._callers = callers
        self._quoting: ExtractiveWriter | None = None
        self._embedding = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def embedder(self) -> Embedder:
        return self._searcher.embedder

    @property
    def writer_caller(self) -> Caller | None:
        """What asks the writer's model; None where the writer is none."""
        return next((caller for caller in self._callers if caller.role == "writer"), None)

    def recollect(self, asked: Asked, accept: Callable[[Passage], bool]) -> Recalled:
        """The best candidates, in the retriever's order, each judged. Passages that ``accept`` refuses stay unseen.

        For a caller without an event loop.
        """
        return self.wait_for(self.recall(asked, accept))

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of work that asks the callers, for a caller without an event loop."""
        if self._loop is None:
            # One loop for life: the connections of a model's client belong to the loop they were made in.
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(work)

    async def recall(self, asked: Asked, accept: Callable[[Passage], bool]) -> Recalled:
        """The same, for a caller in an event loop."""
        limits, candidates = self._settings.retrieval, self._settings.recall.candidates
        query = Query(
            asked.question,
            k=UNRELATED_POOL if self.judge.compares else DEPTH * candidates,
            before=asked.before,
            mode=limits.mode,
            include_undated=limits.include_undated,
            not_conversation=asked.conversation_id,
            context=asked.context,
            leaning=asked.leaning,
        )
        if self._callers:
            # The calls under way are answered meanwhile. One at a time: the embedder takes a core for itself.
            async with self._embedding:
                await asyncio.to_thread(self._searcher.prepare, query)
        found = self._searcher.search(query, accept)
        best = found[:candidates]
        if not best:
            return Recalled(())
        retold = await self.writer.retell(asked, [hit.passage for hit in best])
        told = [
            (hit, each) for hit, each in zip(best, retold, strict=True) if isinstance(each, Retold)
        ]  # fmt: skip
        parked = [each for each in retold if isinstance(each, CallFailed)]
        dropped = Counter({"nothing there": sum(each is None for each in retold)})
        unrelated = self._unrelated(asked.question, found[len(best) :]) if told else ""
        judged = [Judged(each.text, hit.passage.owner_uid) for hit, each in told]
        verdicts = await self.judge.judge(asked, judged, unrelated) if told else []
        memories = []
        for (hit, each), verdict in zip(told, verdicts, strict=True):
            if isinstance(verdict, CallFailed):
                parked.append(verdict)
            else:
                memories.append(Recollection(hit, each, verdict))
        return Recalled(tuple(memories), len(best), +dropped, tuple(parked))

    def look_ahead(self, context: str) -> None:
        """Read words that the next question may lean on, so that it has not to wait for it."""
        if context and self._settings.retrieval.mode != "lexical":
            self._searcher.read(context)

    def useful(self, recollections: Sequence[Recollection]) -> list[Recollection]:
        """Those that the judge finds useful by the question alone: what reaches the twin's prompt."""
        return [each for each in recollections if each.verdict.question >= self._settings.recall.threshold]

    def fingerprint(self) -> str:
        """All that decides what is found: the passages, their dates and uses, and how they are searched."""
        return self._searcher.fingerprint()

    @property
    def width(self) -> int:
        """How many questions at once keep the models' servers busy; 1 where no model is asked."""
        if not self._callers:
            return 1
        slots = sum(caller.engine.slots for caller in self._callers)
        # Each question asks about its candidates side by side; one more is retrieved while the others wait.
        return slots // self._settings.recall.candidates + 2

    def calls(self) -> list[Stats]:
        """What was asked of models so far, for each that is asked."""
        return [caller.stats() for caller in self._callers]

    async def aclose(self) -> None:
        """Let go of connections and models."""
        for caller in self._callers:
            await caller.close()

    def close(self) -> None:
        """The same for a caller without an event loop."""
        loop = self._loop or asyncio.new_event_loop()
        loop.run_until_complete(self.aclose())
        loop.close()
        self._loop = None

    def _unrelated(self, question: str, rest: Sequence[Found]) -> str:
        """The memory of a passage from the far half of the rest, for a judge that compares; empty where there is none.

        It is chosen by the question's hash, the same one every time, and quoted, not retold: nobody will read it.
        """
        far = rest[len(rest) // 2 :]
        if not far or not self.judge.compares:
            return ""
        digest = sha256(question.encode("utf-8", "replace")).digest()
        chosen = far[int.from_bytes(digest[:4]) % len(far)]
        if self._quoting is None:
            self._quoting = ExtractiveWriter(self.embedder, self._settings.recall.sentences)
        return self._quoting.quote(question, [chosen.passage.chunk.text])[0].text
