"""Passages, their vectors and questions, and the memories that rest on them."""

from __future__ import annotations

from core.store.database import Database
from core.store.merging.tables import Tally, changes
from core.store.packing import drop_indexes

_DOCUMENTS = (
    "JOIN other.document AS theirs ON theirs.id = {id} JOIN other.source AS their_source"
    " ON their_source.id = theirs.source_id JOIN main.source AS own_source ON own_source.uid = their_source.uid"
    " AND own_source.use <> 'none' JOIN main.document AS own ON own.source_id = own_source.id AND own.uid = theirs.uid"
    " AND own.content_hash = theirs.content_hash"
)
_EXCHANGES = (
    "JOIN other.exchange AS theirs ON theirs.id = {id} JOIN main.exchange AS own ON own.uid = theirs.uid"
    " JOIN main.conversation AS told ON told.id = own.conversation_id JOIN main.source AS own_source"
    " ON own_source.id = told.source_id AND own_source.use <> 'none' AND NOT EXISTS (SELECT 1 FROM"
    " main.conversation_split WHERE conversation_uid = told.uid AND split <> 'train')"
)
_OWNERS = (("document_id", _DOCUMENTS), ("exchange_id", _EXCHANGES))
_UNCUT_OR_CUT_SO = (
    "LEFT JOIN main.chunked AS own_cut ON own_cut.owner = '{owner}' AND own_cut.owner_id = own.id"
    " LEFT JOIN other.chunked AS their_cut ON their_cut.owner = '{owner}' AND their_cut.owner_id = theirs.id"
    " WHERE (own_cut.key IS NULL OR own_cut.key = their_cut.key)"
)


def merge_passages(db: Database, tally: Tally) -> None:
    """Bring passages and all that hangs on them, memories last. The caller holds the transaction; so below."""
    last = int(db.value("SELECT coalesce(max(id), 0) FROM main.chunk"))
    for owner, here in _OWNERS:
        tally.added["passages"] += changes(
            db,
            f"INSERT INTO main.chunk (uid, {owner}, position, start, stop, text, tokens, last_day)"
            " SELECT chunk.uid, own.id, chunk.position, chunk.start, chunk.stop, chunk.text, chunk.tokens,"
            f" own.last_day FROM other.chunk AS chunk {here.format(id=f'chunk.{owner}')}"
            f" {_UNCUT_OR_CUT_SO.format(owner=owner)}"
            " AND NOT EXISTS (SELECT 1 FROM main.chunk AS known WHERE known.uid = chunk.uid) ORDER BY chunk.id",
        )
        db.execute(
            "INSERT INTO main.chunked (owner, owner_id, key)"
            f" SELECT cut.owner, own.id, cut.key FROM other.chunked AS cut {here.format(id='cut.owner_id')}"
            f" WHERE cut.owner = '{owner}'"
            f" AND NOT EXISTS (SELECT 1 FROM other.chunk AS chunk WHERE chunk.{owner} = theirs.id"
            " AND chunk.uid NOT IN (SELECT uid FROM main.chunk)) ON CONFLICT DO NOTHING"
        )
    db.execute(
        "INSERT INTO main.chunk_text (rowid, title, text) SELECT chunk.id,"
        " coalesce(document.title, substr(exchange.question, 1, 200)), chunk.text FROM main.chunk"
        " LEFT JOIN main.document ON document.id = document_id LEFT JOIN main.exchange ON exchange.id = exchange_id"
        " WHERE chunk.id > ?",
        (last,),
    )
    db.execute(
        "INSERT INTO main.mention (name, last_day, chunk_id) SELECT mention.name, own.last_day, own.id"
        " FROM other.mention JOIN other.chunk AS theirs ON theirs.id = mention.chunk_id"
        " JOIN main.chunk AS own ON own.uid = theirs.uid WHERE own.id > ? ON CONFLICT DO NOTHING",
        (last,),
    )
    vectors = changes(
        db,
        "INSERT INTO main.vector (chunk_id, model, revision, dimension, blob)"
        " SELECT own.id, vector.model, vector.revision, vector.dimension, vector.blob FROM other.vector"
        " JOIN other.chunk AS theirs ON theirs.id = vector.chunk_id JOIN main.chunk AS own ON own.uid = theirs.uid"
        " WHERE length(vector.blob) = 4 * vector.dimension ON CONFLICT DO NOTHING",
    )
    tally.added["vectors"] += vectors
    if vectors + _merge_questions(db, tally):
        drop_indexes(db)
    _count_left_out(db, "chunk", "passages", tally)
    _merge_memories(db, tally)


def _merge_questions(db: Database, tally: Tally) -> int:
    """Returns how many vectors came."""
    tally.added["questions"] += changes(
        db,
        "INSERT INTO main.question (uid, chunk_id, position, text, writer, judge, value, kept)"
        " SELECT question.uid, own.id, question.position, question.text, question.writer, question.judge,"
        " question.value, question.kept FROM other.question JOIN other.chunk AS theirs ON theirs.id = question.chunk_id"
        " JOIN main.chunk AS own ON own.uid = theirs.uid"
        " LEFT JOIN main.questioned AS own_key ON own_key.chunk_id = own.id"
        " LEFT JOIN other.questioned AS their_key ON their_key.chunk_id = theirs.id"
        " WHERE (own_key.key IS NULL OR own_key.key = their_key.key)"
        " AND NOT EXISTS (SELECT 1 FROM main.question AS known WHERE known.uid = question.uid) ORDER BY question.id",
    )
    db.execute(
        "INSERT INTO main.questioned (chunk_id, key) SELECT own.id, questioned.key FROM other.questioned"
        " JOIN other.chunk AS theirs ON theirs.id = questioned.chunk_id JOIN main.chunk AS own ON own.uid = theirs.uid"
        " WHERE true ON CONFLICT DO NOTHING"
    )
    return changes(
        db,
        "INSERT INTO main.question_vector (question_id, model, revision, dimension, blob)"
        " SELECT own.id, stored.model, stored.revision, stored.dimension, stored.blob"
        " FROM other.question_vector AS stored JOIN other.question AS theirs ON theirs.id = stored.question_id"
        " JOIN main.question AS own ON own.uid = theirs.uid AND own.kept"
        " WHERE length(stored.blob) = 4 * stored.dimension ON CONFLICT DO NOTHING",
    )


def _merge_memories(db: Database, tally: Tally) -> None:
    last = int(db.value("SELECT coalesce(max(id), 0) FROM main.memory"))
    tally.added["memories"] += changes(
        db,
        "INSERT INTO main.memory"
        " (uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start, quote_stop)"
        " SELECT memory.uid, own_exchange.id, own_chunk.id, memory.rank, memory.score, memory.writer, memory.text,"
        " memory.quote, memory.quote_start, memory.quote_stop FROM other.memory"
        " JOIN other.exchange AS their_exchange ON their_exchange.id = memory.exchange_id"
        " JOIN main.exchange AS own_exchange ON own_exchange.uid = their_exchange.uid"
        " JOIN other.chunk AS their_chunk ON their_chunk.id = memory.chunk_id"
        " JOIN main.chunk AS own_chunk ON own_chunk.uid = their_chunk.uid"
        " WHERE NOT EXISTS (SELECT 1 FROM main.memory AS known WHERE known.uid = memory.uid) ORDER BY memory.id",
    )
    _count_left_out(db, "memory", "memories", tally)
    db.execute(
        "INSERT INTO main.judgement (memory_id, kind, judge, value)"
        " SELECT own.id, judgement.kind, judgement.judge, judgement.value FROM other.judgement"
        " JOIN other.memory AS theirs ON theirs.id = judgement.memory_id"
        " JOIN main.memory AS own ON own.uid = theirs.uid"
        " WHERE own.id > ?1 OR own.id NOT IN (SELECT memory_id FROM main.judgement WHERE memory_id <= ?1)"
        " ON CONFLICT DO NOTHING",
        (last,),
    )
    db.execute(
        "INSERT INTO main.recalled (exchange_id, key) SELECT own.id, recalled.key FROM other.recalled"
        " JOIN other.exchange AS theirs ON theirs.id = recalled.exchange_id"
        " JOIN main.exchange AS own ON own.uid = theirs.uid"
        " WHERE NOT EXISTS (SELECT 1 FROM other.memory WHERE memory.exchange_id = theirs.id"
        " AND memory.uid NOT IN (SELECT uid FROM main.memory)) ON CONFLICT DO NOTHING"
    )


def _count_left_out(db: Database, table: str, noun: str, tally: Tally) -> None:
    tally.left_out[noun] += int(
        db.value(f"SELECT count(*) FROM other.{table} WHERE uid NOT IN (SELECT uid FROM main.{table})")
    )
