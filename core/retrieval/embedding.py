"""Keep chunks, vectors and index in step with the corpus; only what is new is embedded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from core.corpus.holdout import assign_splits
from core.models.embedder import Embedder
from core.models.roles import embedder_of
from core.retrieval.chunking import cut_text
from core.retrieval.graph import MENTIONS, Around, Known, folded, known_names, names_in, passages_with_title
from core.retrieval.question_index import embed_questions
from core.runs.job import Job
from core.store import chunks as store
from core.store.carrying import sync_chunks
from core.store.conversations import exchanges_of, list_conversations, speaker_counts, splits
from core.store.database import Database
from core.store.documents import DocumentRow, list_documents, used_titles
from core.store.identity import content_uid
from core.store.mentions import add_mention, put_mentions
from core.store.sources import list_sources
from core.store.vector_index import IndexRow, VectorIndex
from core.workspace import Workspace

BATCH_CHUNKS = 64
TITLE_TOKENS = 16
"""Room kept in the embedder's window for the title or question that is embedded with a passage."""


def run(job: Job) -> dict[str, Any]:
    """The work of an ``embed`` run: chunk what is new, embed what has no vector, bring the index in step."""
    started = time.monotonic()
    workspace = job.workspace
    assign_splits(workspace)
    embedder = embedder_of(workspace.settings)
    added, removed = cut_corpus(job, embedder)
    embedded = embed_missing(job, embedder)
    embed_questions(
        workspace, embedder, lambda done, total: job.progress(done, total, "embedding questions"), job.stop_point
    )
    index = open_index(workspace, embedder)
    with workspace.database.write():
        index.prune()
    return {
        "chunks": store.count_chunks(workspace.database),
        "added": added,
        "removed": removed,
        "embedded": embedded,
        "seconds": round(time.monotonic() - started, 2),
    }


def open_index(workspace: Workspace, embedder: Embedder) -> VectorIndex:
    """The vector index of this workspace for an embedder; one that is missing is made from the stored vectors."""
    spec, database = embedder.spec, workspace.database
    index = VectorIndex(database.connection, spec.model, spec.revision, spec.dimension)
    if index.is_missing():
        with database.write():
            index.rebuild(store.index_metadata(database))
    return index


def cut_corpus(job: Job, embedder: Embedder) -> tuple[int, int]:
    """Make the stored chunks, and what they name, those of the corpus as it is.

    Returns how many chunks were added and removed. Documents whose source may be used are cut; so are past exchanges of
    conversations that are trained on, and never those that are set aside for measuring.
    """
    added = removed = 0
    for fresh, gone in _cut(job.workspace, embedder, list_documents(job.workspace.database), exchanges=True):
        added, removed = added + fresh, removed + gone
        job.progress(added, added, "cutting passages")
        job.stop_point()
    return added, removed


def cut_documents(workspace: Workspace, embedder: Embedder, documents: Sequence[DocumentRow]) -> int:
    """Make the stored chunks of these documents what they are now: from then on their words find them.

    Returns how many were added.
    """
    return sum(fresh for fresh, _ in _cut(workspace, embedder, documents, exchanges=False))


def _cut(
    workspace: Workspace, embedder: Embedder, documents: Sequence[DocumentRow], *, exchanges: bool
) -> Iterator[tuple[int, int]]:
    """Cut what is not up to date; yields, after each owner, how many chunks it gained and lost."""
    database, settings = workspace.database, workspace.settings
    limit = min(settings.retrieval.chunk_tokens, embedder.spec.max_tokens - TITLE_TOKENS)
    overlap = min(settings.retrieval.overlap, limit // 2)
    rules = (embedder.spec.model, limit, overlap, MENTIONS)
    index = known = None
    for owner, owner_id, key, title, around, rows in _wanted(
        database, embedder, documents, rules, limit, overlap, exchanges
    ):
        known = known or _known(workspace)
        if index is None and store.chunk_ids_of(database, owner, owner_id):
            index = open_index(workspace, embedder)
        with database.write():
            if _key_now(database, owner, owner_id, rules) != key:
                # An import or a hold-out beside this run: what is there now is cut by the next one.
                continue
            before = set(store.chunk_ids_of(database, owner, owner_id))
            fresh, gone = sync_chunks(database, owner, owner_id, title, rows)
            there = store.chunk_texts_of(database, owner, owner_id)
            if index is not None:
                index.remove(before - there.keys())
            put_mentions(database, {chunk_id: names_in(text, around, known) for chunk_id, text in there.items()})
            if owner == "document_id" and there:
                # Passages that were cut before this document was there may hold its title.
                add_mention(database, folded(title), passages_with_title(database, title))
            store.set_chunked_key(database, owner, owner_id, key)
        yield fresh, gone


def _known(workspace: Workspace) -> Known:
    """The names to look for in every passage. Whoever first speaks later is found in what is cut from then on."""
    database = workspace.database
    return known_names(
        (name for name, _ in speaker_counts(database)), workspace.settings.target_names, used_titles(database)
    )


def _wanted(
    database: Database,
    embedder: Embedder,
    documents: Sequence[DocumentRow],
    rules: tuple[object, ...],
    limit: int,
    overlap: int,
    exchanges: bool,
) -> Iterator[tuple[str, int, str, str, Around, list[store.ChunkRow]]]:
    """(owner, owner id, key, title, names, chunks) for every owner whose stored chunks are not up to date."""
    sources = {source.id: source for source in list_sources(database)}
    known = store.chunked_keys(database, "document_id")
    for document in documents:
        source = sources[document.source_id]
        used = source.use != "none"
        key = _key(rules, used, document.content_hash)
        if known.get(document.id) == key:
            continue
        rows = [
            store.ChunkRow(
                0, store.document_chunk_uid(source.uid, document.uid, cut.start, document.text[cut.start : cut.stop]),
                document.id, None, position, cut.start, cut.stop, document.text[cut.start : cut.stop], cut.tokens,
                document.last_day,
            )
            for position, cut in enumerate(
                cut_text(document.text, embedder.token_spans, limit, overlap, document.language)
            )
        ]  # fmt: skip
        around = Around((document.title, document.link, document.reply_to, *document.tags))
        yield "document_id", document.id, key, document.title, around, rows if used else []
    if not exchanges:
        return
    assigned = splits(database)
    known = store.chunked_keys(database, "exchange_id")
    for conversation in list_conversations(database):
        use = sources[conversation.source_id].use
        visible = use != "none" and assigned.get(conversation.uid, ("train", ""))[0] == "train"
        for exchange in exchanges_of(database, conversation.id):
            key = _key(rules, visible, exchange.uid)
            if known.get(exchange.id) == key:
                continue
            rows = [
                store.ChunkRow(
                    0, store.exchange_chunk_uid(exchange.uid, cut.start, cut.stop), None, exchange.id, position,
                    cut.start, cut.stop, exchange.answer[cut.start : cut.stop], cut.tokens, exchange.last_day,
                )
                for position, cut in enumerate(cut_text(exchange.answer, embedder.token_spans, limit, overlap))
            ]  # fmt: skip
            around = Around((exchange.asker,))
            yield "exchange_id", exchange.id, key, exchange.question[:200], around, rows if visible else []


def _key(rules: tuple[object, ...], shown: bool, content: str) -> str:
    """Of all that decides how an owner is cut; ``content`` is a document's hash or an exchange's uid."""
    return content_uid("cut", rules, shown, content)


def _key_now(database: Database, owner: str, owner_id: int, rules: tuple[object, ...]) -> str:
    """The key of an owner as it is stored now; empty where it is gone."""
    stands = store.owner_of_chunks(database, owner, owner_id)
    return _key(rules, *stands) if stands else ""


def embed_missing(job: Job, embedder: Embedder) -> int:
    """Embed every chunk that has no vector of this model; one transaction per batch. Returns how many."""
    missing = store.chunks_without_vector(job.workspace.database, embedder.spec.model, embedder.spec.revision)
    for done in embed_chunks(job.workspace, embedder, missing):
        job.progress(done, len(missing), "embedding")
        job.stop_point()
    return len(missing)


def embed_chunks(workspace: Workspace, embedder: Embedder, missing: Sequence[store.ChunkRow]) -> Iterator[int]:
    """Embed and index chunks, one transaction per batch; yields, after each, how many are done."""
    database = workspace.database
    index = open_index(workspace, embedder)
    metadata = {row[0]: row for row in store.index_metadata(database)}
    for start in range(0, len(missing), BATCH_CHUNKS):
        batch = missing[start : start + BATCH_CHUNKS]
        vectors = embedder.embed(embedded_texts(database, batch, embedder))
        with database.write():
            # An import beside this run may have removed some of them meanwhile.
            there = store.existing(database, [chunk.id for chunk in batch])
            index.add(
                IndexRow(chunk.id, vector, metadata[chunk.id][1], metadata[chunk.id][2])
                for chunk, vector in zip(batch, np.asarray(vectors, dtype=np.float32), strict=True)
                if chunk.id in there
            )
        yield start + len(batch)


def embedded_texts(database: Database, rows: Sequence[store.ChunkRow], embedder: Embedder) -> list[str]:
    """What is embedded for each chunk: the head of its title, or of the question it answers, on a line before it."""
    found = store.passages(database, [row.id for row in rows])
    texts = []
    for row in rows:
        passage = found.get(row.id)
        head = (passage.question or passage.title) if passage else ""
        spans = embedder.token_spans(head)
        if len(spans) >= TITLE_TOKENS:
            head = head[: spans[TITLE_TOKENS - 2][1]]
        texts.append(f"{head}\n{row.text}")
    return texts
