"""One hash for what each stage has stored, whatever the row ids: equal work gives equal hashes on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from core.store.database import Database, Row

_QUERIES = {
    "import": (
        "SELECT source.uid, format, source.content_hash, use FROM source ORDER BY source.uid",
        "SELECT source.uid, document.uid, document.position, document.content_hash FROM document"
        " JOIN source ON source.id = source_id ORDER BY 1, 2",
        "SELECT source.uid, conversation.uid, conversation.position, conversation.content_hash FROM conversation"
        " JOIN source ON source.id = source_id ORDER BY 1, 2",
        "SELECT conversation.uid, turn.position, speaker, text, time, reply_to, kind FROM turn"
        " JOIN conversation ON conversation.id = conversation_id ORDER BY 1, 2",
        "SELECT uid FROM exchange ORDER BY uid",
    ),
    "embed": (
        "SELECT uid, position, start, stop, text, tokens, last_day FROM chunk ORDER BY uid",
        "SELECT chunk.uid, model, revision, dimension, blob FROM vector JOIN chunk ON chunk.id = chunk_id"
        " ORDER BY 1, 2, 3",
    ),
    "questions": (
        "SELECT question.uid, chunk.uid, question.position, question.text, writer, judge, value, kept FROM question"
        " JOIN chunk ON chunk.id = chunk_id ORDER BY 1",
        "SELECT chunk.uid, key FROM questioned JOIN chunk ON chunk.id = chunk_id ORDER BY 1",
        "SELECT question.uid, model, revision, dimension, blob FROM question_vector"
        " JOIN question ON question.id = question_id ORDER BY 1, 2, 3",
    ),
    "recall": (
        "SELECT memory.uid, exchange.uid, chunk.uid, memory.rank, memory.score, writer, memory.text, quote"
        " FROM memory JOIN exchange ON exchange.id = memory.exchange_id JOIN chunk ON chunk.id = memory.chunk_id"
        " ORDER BY memory.uid",
        "SELECT memory.uid, kind, judge, value FROM judgement JOIN memory ON memory.id = memory_id ORDER BY 1, 2, 3",
    ),
    "dataset": ("SELECT hash FROM dataset ORDER BY hash",),
}


def fingerprint(db: Database, stage: str) -> str:
    """16 hex digits over what ``import``, ``embed``, ``questions``, ``recall`` or ``dataset`` has stored."""
    digest = hashlib.sha256()
    for query in _QUERIES[stage]:
        _feed(digest, db.rows(query))
    return digest.hexdigest()[:16]


def fingerprints(db: Database) -> dict[str, str]:
    return {stage: fingerprint(db, stage) for stage in _QUERIES}


def _feed(digest: hashlib._Hash, rows: Iterable[Row]) -> None:
    for row in rows:
        for value in row:
            data = value if isinstance(value, bytes) else repr(value).encode()
            digest.update(len(data).to_bytes(8))
            digest.update(data)
