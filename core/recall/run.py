"""The ``recall`` run: candidate memories for every question that the target was asked and may learn from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.corpus.holdout import assign_splits
from core.errors import UsageError
from core.models.causal_lm import CausalLM
from core.models.roles import check_role, embedder_of
from core.recall.judge import LikelihoodJudge
from core.recall.recollect import Asked, Recollection, Recollector
from core.recall.retell import ExtractiveWriter
from core.retrieval.search import Searcher
from core.runs.job import Job
from core.store.chunks import Passage, chunks_without_vector, corpus_fingerprint
from core.store.conversations import ConversationRow, ExchangeRow, exchanges_of, trainable_conversations
from core.store.documents import own_words_exist
from core.store.identity import content_uid
from core.store.memories import MemoryRow, put_memories, recall_keys, set_recall_key
from core.workspace import Workspace


def run(job: Job) -> dict[str, Any]:
    """Recall for every trained or validating exchange that has not been recalled with these settings."""
    started = time.monotonic()
    workspace = job.workspace
    database = workspace.database
    splits = assign_splits(workspace)
    limit = job.params.get("limit")
    exchanges = [
        (conversation, exchange)
        for conversation in trainable_conversations(database)
        if splits[conversation.uid] != "heldout"
        for exchange in exchanges_of(database, conversation.id)
        if exchange.question
    ]
    if not exchanges:
        raise UsageError(
            f"nobody has asked {workspace.target} anything yet: there are no exchanges to recall for",
            "import an interview or a chat: simulee import FILE --target NAME",
        )
    exchanges = exchanges[:limit] if limit else exchanges
    recollector, identity = load_recollector(workspace)
    spec = recollector.embedder.spec
    missing = len(chunks_without_vector(database, spec.model, spec.revision))
    if missing:
        raise UsageError(f"{missing} passages are not embedded with {spec.model}", "simulee embed")
    key = content_uid(identity, corpus_fingerprint(database), workspace.settings.retrieval.model_dump(mode="json"))
    known = recall_keys(database)
    accept = training_words(workspace)
    candidates = recalled = 0
    for position, (conversation, exchange) in enumerate(exchanges):
        job.stop_point()
        if known.get(exchange.id) != key:
            found = recollector.recollect(_asked(conversation, exchange), accept)
            with database.write():
                put_memories(database, exchange.id, [_memory(exchange, each, identity) for each in found])
                set_recall_key(database, exchange.id, key)
            candidates += len(found)
            recalled += 1
        job.progress(position + 1, len(exchanges), exchange.question)
    return {
        "exchanges": len(exchanges),
        "recalled": recalled,
        "candidates": candidates,
        "seconds": round(time.monotonic() - started, 2),
    }


def load_recollector(workspace: Workspace, model: CausalLM | None = None) -> tuple[Recollector, str]:
    """Retrieval, writer and judge as the workspace names them, and the identity of the three together."""
    settings = workspace.settings
    for role in ("writer", "judge"):
        check_role(role, getattr(settings.models, role))
    searcher = Searcher(workspace, lambda: embedder_of(settings))
    writer = ExtractiveWriter(searcher.embedder, settings.recall.sentences)
    judge = LikelihoodJudge(
        model or CausalLM(settings.models.judge.model),
        workspace.target,
        settings.recall.answer_tokens,
        workspace.database,
    )
    identity = content_uid(writer.identity, judge.identity, settings.recall.candidates)
    return Recollector(settings, searcher, writer, judge), identity


def training_words(workspace: Workspace) -> Callable[[Passage], bool]:
    """Passages that may stand in a training sample: cleared for training, and the target's own words.

    What others wrote about the target is used only where there is nothing of their own.
    """
    own = own_words_exist(workspace.database)
    return lambda passage: passage.use == "train" and (passage.kind != "profile" or not own)


def recallable_words(workspace: Workspace) -> Callable[[Passage], bool]:
    """Passages that the twin may recall when it talks: the same, and what is cleared for recall only."""
    own = own_words_exist(workspace.database)
    return lambda passage: passage.kind != "profile" or not own


def as_of(exchange: ExchangeRow) -> int | None:
    """The day before which passages are visible to an exchange."""
    return exchange.first_day if exchange.first_day >= 0 else None


def _asked(conversation: ConversationRow, exchange: ExchangeRow) -> Asked:
    return Asked(exchange.question, exchange.asker, as_of(exchange), conversation.id, exchange.answer)


def _memory(exchange: ExchangeRow, each: Recollection, identity: str) -> tuple[MemoryRow, dict[tuple[str, str], float]]:
    chunk = each.found.passage.chunk
    row = MemoryRow(
        0,
        content_uid("memory", exchange.uid, chunk.uid, each.retold.start, each.retold.stop, each.retold.text),
        exchange.id,
        chunk.id,
        each.found.rank,
        round(each.found.score, 6),
        "extractive",
        each.retold.text,
        each.retold.quote,
        each.retold.start,
        each.retold.stop,
    )
    judgements = {("question", identity): each.verdict.question}
    if each.verdict.answer is not None:
        judgements[("answer", identity)] = each.verdict.answer
    return row, judgements
