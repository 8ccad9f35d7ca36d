"""Sources, documents, conversations and splits of the other side. Nothing is removed here: what one side lacks may be
what the other side added."""

from __future__ import annotations

import json

from core.store.chunks import remove_chunks_of_conversation
from core.store.conversations import (
    ConversationRow,
    ExchangeRow,
    TurnRow,
    assign_split,
    chat_elsewhere,
    conversation_id,
    extent_of,
    put_conversation,
    same_conversation_elsewhere,
    splits,
    sync_exchanges,
    take_over,
    weight_of_split,
)
from core.store.database import Database
from core.store.documents import DocumentRow, put_document, same_document_elsewhere
from core.store.merging.tables import Tally
from core.store.sources import SourceRow, content_of, find_source, finish_source
from core.store.tiddlers import put_tiddler

_STRICTNESS = {"none": 2, "recall": 1, "train": 0}
_SOURCE = "id, uid, location, format, content_hash, use, use_chosen, imported_at"
_DATED = "title, link, date, date_precision, first_day, last_day"
_CHANGED = (
    " FROM other.{noun} AS theirs LEFT JOIN main.{noun} AS own ON own.source_id = ?2 AND own.uid = theirs.uid"
    " WHERE theirs.source_id = ?1 AND (own.id IS NULL OR own.content_hash <> theirs.content_hash AND (?3"
    " OR ?4 AND theirs.content_hash > own.content_hash)) ORDER BY theirs.id"
)


def merge_corpus(db: Database, tally: Tally) -> None:
    """Bring sources with what they hold, and splits. The caller holds the transaction; so below."""
    _merge_splits(db)
    for values in db.rows(f"SELECT {_SOURCE} FROM other.source ORDER BY id"):
        theirs = SourceRow(*values)
        own = find_source(db, theirs.uid)
        if not theirs.content_hash or (own is not None and not own.content_hash):
            tally.left_out["sources"] += 1  # An import of it is under way, or was cut short.
            continue
        _merge_source(db, theirs, own, tally)


def _merge_source(db: Database, theirs: SourceRow, own: SourceRow | None, tally: Tally) -> None:
    if own is None:
        tally.added["sources"] += 1
        own_id = db.insert(
            "INSERT INTO source (uid, location, format, content_hash, use, use_chosen, imported_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (theirs.uid, theirs.location, theirs.format, "", theirs.use, theirs.use_chosen, theirs.imported_at),
        )
        later = same = False
        use, chosen = theirs.use, theirs.use_chosen
    else:
        own_id = own.id
        later, same = theirs.imported_at > own.imported_at, theirs.imported_at == own.imported_at
        strictest = max(own, theirs, key=lambda row: (row.use_chosen, _STRICTNESS[row.use]))
        use, chosen = strictest.use, strictest.use_chosen
    changed = _merge_documents(db, theirs.id, own_id, later, same, tally)
    changed |= _merge_conversations(db, theirs.id, own_id, later, same, tally)
    if own is None or changed or (use, chosen) != (own.use, own.use_chosen):
        if later:
            db.execute(
                "UPDATE source SET location = ?, format = ?, imported_at = ? WHERE id = ?",
                (theirs.location, theirs.format, theirs.imported_at, own_id),
            )
        db.execute("UPDATE source SET use_chosen = ? WHERE id = ?", (chosen, own_id))
        finish_source(db, own_id, content_of(db, own_id) if own is None or changed else own.content_hash, use)


def _merge_documents(db: Database, their_id: int, own_id: int, later: bool, same: bool, tally: Tally) -> bool:
    columns = (
        f"position, kind, {_DATED}, text, language, visibility, reply_to, tags, content_hash"
    ).split(", ")  # fmt: skip
    rows = db.rows(
        f"SELECT theirs.uid, {', '.join(f'theirs.{name}' for name in columns)}, own.id IS NULL"
        + _CHANGED.format(noun="document"),
        (their_id, own_id, later, same),
    )
    changed = False
    for row in rows:
        tags = tuple(str(tag) for tag in json.loads(row[13]))
        document = DocumentRow(*[0, row[0], own_id, *row[1:13], tags, row[14]])
        if row[15] and same_document_elsewhere(db, document):
            tally.left_out["documents"] += 1
            continue
        put_document(db, document)
        fields = db.value(
            "SELECT fields FROM other.tiddler JOIN other.document ON id = document_id WHERE source_id = ? AND uid = ?",
            (their_id, document.uid),
        )
        if fields is not None:
            put_tiddler(db, own_id, document.uid, str(fields))
        tally.added["documents" if row[15] else "changed documents"] += 1
        changed = True
    return changed


def _merge_conversations(db: Database, their_id: int, own_id: int, later: bool, same: bool, tally: Tally) -> bool:
    columns = f"position, {_DATED}, visibility, chat, content_hash".split(", ")
    rows = db.rows(
        f"SELECT theirs.uid, {', '.join(f'theirs.{name}' for name in columns)}, own.id IS NULL, theirs.id"
        + _CHANGED.format(noun="conversation"),
        (their_id, own_id, later, same),
    )
    changed = False
    for row in rows:
        conversation = ConversationRow(0, row[0], own_id, *row[1:11])
        turns = [
            TurnRow(*turn)
            for turn in db.rows(
                "SELECT position, speaker, text, time, reply_to, kind FROM other.turn WHERE conversation_id = ?"
                " ORDER BY position",
                (row[12],),
            )
        ]
        others = chat_elsewhere(db, conversation, turns)
        further = any(chat.extent >= extent_of(turns) for chat in others)
        if further or (row[11] and same_conversation_elsewhere(db, conversation)):
            tally.left_out["conversations"] += 1
            continue
        for chat in others:
            take_over(db, chat, own_id)
        put_conversation(db, conversation, turns)
        here = conversation_id(db, own_id, row[0])
        exchanges = db.rows(
            "SELECT 0, uid, ?, position, segment, asker, question, answer, first_day, last_day, initiates"
            " FROM other.exchange WHERE conversation_id = ? ORDER BY position",
            (here, row[12]),
        )
        sync_exchanges(db, here, [ExchangeRow(*exchange) for exchange in exchanges])
        tally.added["conversations" if row[11] else "changed conversations"] += 1
        changed = True
    return changed


def _merge_splits(db: Database) -> None:
    known = splits(db)
    for uid, split, chosen_by in db.rows("SELECT conversation_uid, split, chosen_by FROM other.conversation_split"):
        own = known.get(uid)
        theirs = (str(split), str(chosen_by))
        if own is None or own != max(own, theirs, key=weight_of_split):
            assign_split(db, uid, *theirs)
            if split != "train":
                remove_chunks_of_conversation(db, uid)
