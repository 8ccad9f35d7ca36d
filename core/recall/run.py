"""The ``recall`` run: candidate memories for every question that the target was asked and may learn from."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from core.calls.ledger import moment
from core.corpus.holdout import assign_splits
from core.errors import SimuleeError, UsageError
from core.recall.asked import Asked
from core.recall.load import as_of, load_recollector, training_words, with_engines
from core.recall.recollect import Recalled, Recollection, Recollector
from core.runs.job import Job
from core.store.chunks import chunks_without_vector, existing
from core.store.conversations import (
    ConversationRow,
    ExchangeRow,
    exchanges_of,
    get_exchange,
    trainable_conversations,
)
from core.store.identity import content_uid
from core.store.memories import MemoryRow, put_memories, recall_keys, set_recall_key
from core.store.parked import clear_parked, park
from core.workspace import Workspace

PARKED_KIND = "recall"


def run(job: Job) -> dict[str, Any]:
    """Recall for every trained or validating exchange that has not been recalled with these settings.

    An exchange for which a model failed is parked with the reason, and taken up again by the next run; its memories
    that could be had are kept.
    """
    started = time.monotonic()
    exchanges = exchanges_to_recall(job.workspace, job.params.get("limit"))
    settings = with_engines(job.workspace.settings, job.params.get("engines") or {})
    recollector, identity = load_recollector(job.workspace, run=job.folder.name, settings=settings)
    _refuse_unembedded(job.workspace, recollector)
    work = RecallWork(job, recollector, identity, exchanges)
    asyncio.run(work.all())
    return work.result() | {"seconds": round(time.monotonic() - started, 2)}


def exchanges_to_recall(workspace: Workspace, limit: int | None) -> list[tuple[ConversationRow, ExchangeRow]]:
    """Every question that is trained or validated on, with its conversation. Raises UsageError when there is none."""
    splits = assign_splits(workspace)
    exchanges = [
        (conversation, exchange)
        for conversation in trainable_conversations(workspace.database)
        if splits[conversation.uid] != "heldout"
        for exchange in exchanges_of(workspace.database, conversation.id)
        if exchange.question
    ]
    if not exchanges:
        raise UsageError(
            f"nobody has asked {workspace.target} anything yet: there are no exchanges to recall for",
            "import an interview or a chat: simulee import FILE --target NAME",
        )
    return exchanges[:limit] if limit else exchanges


def _refuse_unembedded(workspace: Workspace, recollector: Recollector) -> None:
    spec = recollector.embedder.spec
    missing = len(chunks_without_vector(workspace.database, spec.model, spec.revision))
    if missing:
        raise UsageError(f"{missing} passages are not embedded with {spec.model}", "simulee embed")


class RecallWork:
    """One attempt at a recall run: several exchanges at once where a server answers, one after another where not."""

    def __init__(
        self,
        job: Job,
        recollector: Recollector,
        identity: str,
        exchanges: list[tuple[ConversationRow, ExchangeRow]],
    ) -> None:
        self._job = job
        self._database = job.workspace.database
        self._recollector = recollector
        self._identity = identity
        self._exchanges = exchanges
        self._key = content_uid(identity, recollector.fingerprint())
        self._accept = training_words(job.workspace)
        self._broken = False
        """Something stops the run: nothing more is begun."""
        self._done = 0
        self._recalled = 0
        self._candidates = 0
        self._kept = 0
        self._dropped: Counter[str] = Counter()
        self._parked: Counter[str] = Counter()

    async def all(self) -> None:
        """Work until every exchange is recalled or parked. Raises what stops it, once what is under way is stored."""
        known = recall_keys(self._database)
        waiting = [pair for pair in self._exchanges if known.get(pair[1].id) != self._key]
        self._done = len(self._exchanges) - len(waiting)
        queue = iter(waiting)
        self._tell("")
        try:
            workers = [asyncio.create_task(self._some(queue)) for _ in range(self._recollector.width)]
            ended = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            await self._recollector.aclose()
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        self._job.stop_point()

    async def _some(self, queue: Iterator[tuple[ConversationRow, ExchangeRow]]) -> None:
        for conversation, exchange in queue:
            if self._job.stop_requested or self._broken:
                return
            try:
                recalled = await self._recollector.recall(_asked(conversation, exchange), self._accept)
            except SimuleeError:
                self._broken = True
                raise
            self._store(exchange, recalled)

    def _store(self, exchange: ExchangeRow, recalled: Recalled) -> None:
        with self._database.write():
            # An import beside this run may have taken the exchange, or passages it was recalled from: that is left to
            # the next run.
            now = get_exchange(self._database, exchange.id)
            if now is not None and now.uid == exchange.uid:
                self._keep(exchange, recalled)
        self._done += 1
        self._recalled += 1
        self._candidates += recalled.retrieved
        useful = len(self._recollector.useful(recalled.memories))
        self._kept += useful
        self._dropped += recalled.dropped
        self._dropped["not useful by the question"] += len(recalled.memories) - useful
        self._parked.update(error.reason for error in recalled.parked)
        self._tell(exchange.question)

    def _keep(self, exchange: ExchangeRow, recalled: Recalled) -> None:
        """Store what was recalled. The caller holds the transaction."""
        there = existing(self._database, [each.found.passage.chunk.id for each in recalled.memories])
        kept = [each for each in recalled.memories if each.found.passage.chunk.id in there]
        whole = len(kept) == len(recalled.memories)
        put_memories(
            self._database,
            exchange.id,
            [_memory(exchange, each, self._identity) for each in kept],
            remove_others=whole and not recalled.parked,
        )
        if recalled.parked:
            reasons = "; ".join(sorted({error.reason for error in recalled.parked}))
            park(self._database, PARKED_KIND, exchange.uid, reasons, moment())
        elif whole:
            set_recall_key(self._database, exchange.id, self._key)
            clear_parked(self._database, PARKED_KIND, [exchange.uid])

    def _tell(self, question: str) -> None:
        self._job.progress(self._done, len(self._exchanges), self._line() or question)

    def _line(self) -> str:
        """What the live line says besides how far: kept, dropped by reason, parked, calls, cost."""
        calls = self._recollector.calls()
        if not calls:
            return ""
        parts = [f"{self._kept} kept"]
        parts += [f"{number} {reason}" for reason, number in self._dropped.most_common() if number]
        parts += [f"{number} parked: {reason}" for reason, number in self._parked.most_common()]
        parts.append(f"{sum(each.calls_per_second for each in calls):.1f} calls/s")
        cost = sum(each.cost for each in calls)
        if cost:
            parts.append(f"cost {cost:.2f}")
        return " · ".join(parts)

    def result(self) -> dict[str, Any]:
        calls = self._recollector.calls()
        return {
            "exchanges": len(self._exchanges),
            "recalled": self._recalled,
            "candidates": self._candidates,
            "kept": self._kept,
            "dropped": {reason: number for reason, number in self._dropped.items() if number},
            "parked": dict(self._parked),
            "calls": sum(each.calls for each in calls),
            "cached": sum(each.cached for each in calls),
            "cost": round(sum(each.cost for each in calls), 4),
        }


def _asked(conversation: ConversationRow, exchange: ExchangeRow) -> Asked:
    return Asked(
        exchange.question, exchange.asker, as_of(exchange), conversation.id, answer=exchange.answer, uid=exchange.uid
    )


def _memory(exchange: ExchangeRow, each: Recollection, identity: str) -> tuple[MemoryRow, dict[tuple[str, str], float]]:
    chunk = each.found.passage.chunk
    row = MemoryRow(
        0,
        content_uid("memory", exchange.uid, chunk.uid, each.retold.start, each.retold.stop, each.retold.text),
        exchange.id,
        chunk.id,
        each.found.rank,
        round(each.found.score, 6),
        each.retold.writer,
        each.retold.text,
        each.retold.quote,
        each.retold.start,
        each.retold.stop,
    )
    judgements = {("question", identity): each.verdict.question}
    if each.verdict.answer is not None:
        judgements[("answer", identity)] = each.verdict.answer
    return row, judgements
