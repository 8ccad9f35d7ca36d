"""Chunks: retrievable passages of documents and of past exchanges, and their lexical index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.store.database import Database, Row
from core.store.identity import content_uid

_COLUMNS = (
    "chunk.id, chunk.uid, document_id, exchange_id, chunk.position, start, stop, chunk.text, tokens, chunk.last_day"
)

PASSAGE = (
    f"SELECT {_COLUMNS}, coalesce(document.title, conversation.title), coalesce(document.date, conversation.date),"
    " coalesce(document.kind, 'exchange'), source.use, coalesce(document.uid, exchange.uid),"
    " coalesce(exchange.question, ''), coalesce(exchange.conversation_id, 0)"
    " FROM chunk LEFT JOIN document ON document.id = document_id"
    " LEFT JOIN exchange ON exchange.id = exchange_id"
    " LEFT JOIN conversation ON conversation.id = exchange.conversation_id"
    " JOIN source ON source.id = coalesce(document.source_id, conversation.source_id)"
)
"""The query behind ``Passage``, for this package; a condition follows it."""


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One passage. ``id`` is 0 before it is stored."""

    id: int
    uid: str
    document_id: int | None
    exchange_id: int | None
    position: int
    start: int
    """Characters into the document's text, or into the exchange's answer."""
    stop: int
    text: str
    tokens: int
    last_day: int
    """Ordinal of the last day its date may mean, -1 when undated."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with what a reader needs to place it."""

    chunk: ChunkRow
    title: str
    date: str
    kind: str
    """``writing``, ``journal``, ``profile`` or ``exchange``."""
    use: str
    owner_uid: str
    """The uid of the document or the exchange."""
    question: str
    """What was asked, for a passage from an exchange; else empty."""
    conversation_id: int
    """0 for a document."""


def document_chunk_uid(source_uid: str, document_uid: str, start: int, words: str) -> str:
    """The uid of a passage of a document, by where it stands and what it says."""
    return content_uid("chunk", content_uid(source_uid, document_uid), start, start + len(words), words)


def exchange_chunk_uid(exchange_uid: str, start: int, stop: int) -> str:
    """The uid of a passage of an answer: the exchange's own says the words."""
    return content_uid("chunk", exchange_uid, start, stop)


def insert_chunk(db: Database, chunk: ChunkRow, title: str) -> int:
    """Store a passage and let its words be found; ``title`` is found with them. Returns its id."""
    chunk_id = db.insert(
        "INSERT INTO chunk (uid, document_id, exchange_id, position, start, stop, text, tokens, last_day)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chunk.uid, chunk.document_id, chunk.exchange_id, chunk.position, chunk.start, chunk.stop, chunk.text,
            chunk.tokens, chunk.last_day,
        ),
    )  # fmt: skip
    db.execute("INSERT INTO chunk_text (rowid, title, text) VALUES (?, ?, ?)", (chunk_id, title, chunk.text))
    return chunk_id


def owner_of_chunks(db: Database, owner: str, owner_id: int) -> tuple[bool, str] | None:
    """Whether a document or exchange may be recalled from now, and its content hash or uid; None where it is gone."""
    assert owner in ("document_id", "exchange_id")
    row = db.one(
        "SELECT source.use <> 'none', document.content_hash FROM document JOIN source ON source.id = source_id"
        " WHERE document.id = ?"
        if owner == "document_id"
        else "SELECT source.use <> 'none' AND coalesce(split, 'train') = 'train', exchange.uid FROM exchange"
        " JOIN conversation ON conversation.id = conversation_id JOIN source ON source.id = source_id"
        " LEFT JOIN conversation_split ON conversation_uid = conversation.uid WHERE exchange.id = ?",
        (owner_id,),
    )
    return (bool(row[0]), str(row[1])) if row else None


def chunked_keys(db: Database, owner: str) -> dict[int, str]:
    """Owner id → the key under which it was last cut."""
    rows = db.rows("SELECT owner_id, key FROM chunked WHERE owner = ?", (owner,))
    return {int(row[0]): str(row[1]) for row in rows}


def set_chunked_key(db: Database, owner: str, owner_id: int, key: str) -> None:
    db.execute(
        "INSERT INTO chunked (owner, owner_id, key) VALUES (?, ?, ?)"
        " ON CONFLICT (owner, owner_id) DO UPDATE SET key = excluded.key",
        (owner, owner_id, key),
    )


def remove_chunks(db: Database, chunk_ids: Iterable[int]) -> None:
    """Remove chunks with their lexical rows and vectors (a trigger); the vector index is the caller's."""
    db.execute_many("DELETE FROM chunk WHERE id = ?", ((chunk_id,) for chunk_id in chunk_ids))


def remove_chunks_of_conversation(db: Database, conversation_uid: str) -> None:
    """Take a conversation's answers out of what can be recalled."""
    db.execute(
        "DELETE FROM chunk WHERE exchange_id IN (SELECT exchange.id FROM exchange"
        " JOIN conversation ON conversation.id = conversation_id WHERE conversation.uid = ?)",
        (conversation_uid,),
    )
    db.execute(
        "DELETE FROM chunked WHERE owner = 'exchange_id' AND owner_id IN (SELECT exchange.id FROM exchange"
        " JOIN conversation ON conversation.id = conversation_id WHERE conversation.uid = ?)",
        (conversation_uid,),
    )


def existing(db: Database, ids: Sequence[int]) -> set[int]:
    """Those of the ids that are there."""
    rows = db.rows("SELECT id FROM chunk WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
    return {int(row[0]) for row in rows}


def chunk_ids_of(db: Database, owner: str, owner_id: int) -> list[int]:
    assert owner in ("document_id", "exchange_id")
    return [row[0] for row in db.rows(f"SELECT id FROM chunk WHERE {owner} = ? ORDER BY position", (owner_id,))]


def chunk_rows_of(db: Database, owner: str, owner_id: int) -> list[ChunkRow]:
    """The chunks of one document or exchange, in their order."""
    assert owner in ("document_id", "exchange_id")
    return [
        ChunkRow(*row)
        for row in db.rows(f"SELECT {_COLUMNS} FROM chunk WHERE {owner} = ? ORDER BY chunk.position, id", (owner_id,))
    ]


def chunk_texts_of(db: Database, owner: str, owner_id: int) -> dict[int, str]:
    """Chunk id → text of one document's or exchange's chunks, in their order."""
    assert owner in ("document_id", "exchange_id")
    rows = db.rows(f"SELECT id, text FROM chunk WHERE {owner} = ? ORDER BY position", (owner_id,))
    return {int(row[0]): str(row[1]) for row in rows}


def count_chunks(db: Database) -> int:
    return int(db.value("SELECT count(*) FROM chunk"))


def mean_chunk_characters(db: Database) -> float:
    """Characters of a passage on average; 0 where there is none."""
    return float(db.value("SELECT coalesce(avg(length(text)), 0) FROM chunk"))


def corpus_fingerprint(db: Database) -> str:
    """A hash of every passage there is, its date, its use and its title, whatever the row ids."""
    rows = db.rows(
        "SELECT chunk.uid, chunk.last_day, source.use, coalesce(document.title, '') FROM chunk"
        " LEFT JOIN document ON document.id = document_id"
        " LEFT JOIN exchange ON exchange.id = exchange_id"
        " LEFT JOIN conversation ON conversation.id = exchange.conversation_id"
        " JOIN source ON source.id = coalesce(document.source_id, conversation.source_id) ORDER BY chunk.uid"
    )
    return content_uid([list(row) for row in rows])


def chunks_without_vector(db: Database, model: str, revision: str, kind: str = "") -> list[ChunkRow]:
    """Chunks that this model has not embedded, in the order of their ids; of all, or of documents of one kind."""
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM chunk WHERE NOT EXISTS"
        " (SELECT 1 FROM vector WHERE chunk_id = chunk.id AND model = ? AND revision = ?)"
        " AND (? = '' OR document_id IN (SELECT id FROM document WHERE kind = ?)) ORDER BY chunk.id",
        (model, revision, kind, kind),
    )
    return [ChunkRow(*row) for row in rows]


def index_metadata(db: Database) -> list[tuple[int, int, int]]:
    """For every chunk: id, last day, and its conversation's id or 0."""
    rows = db.rows(
        "SELECT chunk.id, chunk.last_day, coalesce(exchange.conversation_id, 0)"
        " FROM chunk LEFT JOIN exchange ON exchange.id = exchange_id ORDER BY chunk.id"
    )
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows]


def passages(db: Database, ids: Sequence[int]) -> dict[int, Passage]:
    """The passages with these chunk ids; ids that are gone are left out."""
    rows = db.rows(f"{PASSAGE} WHERE chunk.id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
    found = {int(row[0]): row for row in rows}
    return {chunk_id: passage_of(found[chunk_id]) for chunk_id in ids if chunk_id in found}


def passage_of(row: Row) -> Passage:
    """A row of ``PASSAGE``."""
    return Passage(ChunkRow(*row[:10]), *row[10:])


def vectors_of(db: Database, ids: Sequence[int], model: str, revision: str) -> dict[int, bytes]:
    """Chunk id → its stored vector as little-endian float32, for those that have one of this model."""
    rows = db.rows(
        "SELECT chunk_id, blob FROM vector WHERE chunk_id IN (SELECT value FROM json_each(?))"
        " AND model = ? AND revision = ?",
        (json.dumps(list(ids)), model, revision),
    )
    return {int(row[0]): bytes(row[1]) for row in rows}


def newest_chunk(db: Database) -> int:
    """The highest id of a passage, 0 where there is none: about how many there are, and known at once."""
    return int(db.value("SELECT max(id) FROM chunk") or 0)


def passages_with(db: Database, word: str, most: int) -> int:
    """How many passages hold a word (in any of its forms), counted up to ``most``."""
    return int(
        db.value("SELECT count(*) FROM (SELECT 1 FROM chunk_text WHERE chunk_text MATCH ? LIMIT ?)", (word, most))
    )


def has_vectors(db: Database) -> bool:
    """Whether any passage is embedded, by whatever model."""
    return db.value("SELECT 1 FROM vector LIMIT 1") is not None


def vector_dimension(db: Database, model: str, revision: str) -> int:
    """Numbers of a stored vector of this model at this revision; 0 where no passage has one."""
    return int(
        db.value("SELECT dimension FROM vector WHERE model = ? AND revision = ? LIMIT 1", (model, revision)) or 0
    )


def lexical_search(
    db: Database, match: str, k: int, before: int | None, include_undated: bool, not_conversation: int
) -> list[tuple[int, float]]:
    """The best ``k`` chunks for an FTS5 expression, as (chunk id, score: higher is better).

    Title words weigh twice; ties are broken by chunk id. ``before`` is the as-of day, None for no limit.
    """
    if before is None and include_undated and not not_conversation:
        rows = db.rows(
            "SELECT rowid, -bm25(chunk_text, 2.0, 1.0) AS score FROM chunk_text"
            " WHERE chunk_text MATCH ? ORDER BY score DESC, rowid LIMIT ?",
            (match, k),
        )
    else:
        # A row of the chunk for every match costs half as much again.
        rows = db.rows(
            "SELECT chunk.id, -bm25(chunk_text, 2.0, 1.0) AS score FROM chunk_text"
            " JOIN chunk ON chunk.id = chunk_text.rowid LEFT JOIN exchange ON exchange.id = exchange_id"
            " WHERE chunk_text MATCH ? AND (? IS NULL OR chunk.last_day < ?) AND (? OR chunk.last_day >= 0)"
            " AND coalesce(exchange.conversation_id, 0) <> ? ORDER BY score DESC, chunk.id LIMIT ?",
            (match, before, before, include_undated, not_conversation or -1, k),
        )
    return [(int(row[0]), float(row[1])) for row in rows]
