"""Documents: what the target wrote, wrote privately, or that was written about them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from core.store.carrying import carry
from core.store.database import Database, Row

_COLUMNS = (
    "id, uid, source_id, position, kind, title, link, date, date_precision, first_day, last_day, text, language,"
    " visibility, reply_to, tags, content_hash"
)


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One stored document. ``id`` is 0 before it is stored; days are ordinals, -1 when unknown."""

    id: int
    uid: str
    source_id: int
    position: int
    kind: str
    title: str
    link: str
    date: str
    date_precision: str
    first_day: int
    last_day: int
    text: str
    language: str
    visibility: str
    reply_to: str
    tags: tuple[str, ...]
    content_hash: str


def _row(values: Row) -> DocumentRow:
    return DocumentRow(*[*values[:15], tuple(json.loads(values[15])), values[16]])


def put_document(db: Database, document: DocumentRow) -> str:
    """Insert or update by source and uid. Returns ``added``, ``changed`` or ``same``.

    A change drops at once the passages whose words are gone; what was recalled from words that are there stays.
    """
    known = db.one(
        "SELECT id, content_hash FROM document WHERE source_id = ? AND uid = ?", (document.source_id, document.uid)
    )
    values = (
        document.position, document.kind, document.title, document.link, document.date, document.date_precision,
        document.first_day, document.last_day, document.text, document.language, document.visibility,
        document.reply_to, json.dumps(document.tags), document.content_hash,
    )  # fmt: skip
    if known is None:
        db.execute(
            "INSERT INTO document (position, kind, title, link, date, date_precision, first_day, last_day, text,"
            " language, visibility, reply_to, tags, content_hash, source_id, uid)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, document.source_id, document.uid),
        )
        return "added"
    document_id, content_hash = known
    if content_hash == document.content_hash:
        db.execute("UPDATE document SET position = ? WHERE id = ?", (document.position, document_id))
        return "same"
    db.execute("DELETE FROM chunked WHERE owner = 'document_id' AND owner_id = ?", (document_id,))
    carry(db, "document_id", document_id, document.title, document.text, document.last_day)
    db.execute(
        "UPDATE document SET position = ?, kind = ?, title = ?, link = ?, date = ?, date_precision = ?, first_day = ?,"
        " last_day = ?, text = ?, language = ?, visibility = ?, reply_to = ?, tags = ?, content_hash = ? WHERE id = ?",
        (*values, document_id),
    )
    return "changed"


def same_document_elsewhere(db: Database, document: DocumentRow) -> str:
    """The location of another source that holds the very same document, or an empty string."""
    found = db.value(
        "SELECT location FROM document JOIN source ON source.id = source_id"
        " WHERE document.content_hash = ? AND source_id <> ? ORDER BY source_id LIMIT 1",
        (document.content_hash, document.source_id),
    )
    return str(found or "")


def list_documents(db: Database) -> list[DocumentRow]:
    """Every document, oldest first, undated ones at the end; uid breaks ties."""
    rows = db.rows(f"SELECT {_COLUMNS} FROM document ORDER BY last_day < 0, last_day, title, uid")
    return [_row(row) for row in rows]


def get_document(db: Database, document_id: int) -> DocumentRow | None:
    row = db.one(f"SELECT {_COLUMNS} FROM document WHERE id = ?", (document_id,))
    return _row(row) if row else None


def own_words_exist(db: Database) -> bool:
    """Whether there is anything of the target's own to recall: a writing, a journal entry or an exchange."""
    return bool(
        db.value("SELECT EXISTS (SELECT 1 FROM document WHERE kind <> 'profile') OR EXISTS (SELECT 1 FROM exchange)")
    )


def remove_documents_but(db: Database, source_id: int, uids: Collection[str]) -> int:
    """Remove what a source no longer holds. Returns how many."""
    gone = [
        row[0]
        for row in db.rows("SELECT id, uid FROM document WHERE source_id = ?", (source_id,))
        if row[1] not in uids
    ]
    db.execute_many("DELETE FROM document WHERE id = ?", ((document_id,) for document_id in gone))
    return len(gone)


def documents_of_source(db: Database, source_id: int) -> list[DocumentRow]:
    """One source's documents, in the order they were stored."""
    return [
        _row(row) for row in db.rows(f"SELECT {_COLUMNS} FROM document WHERE source_id = ? ORDER BY id", (source_id,))
    ]


def documents_of_kind(db: Database, kind: str) -> list[DocumentRow]:
    """Every document of a kind, oldest first, undated ones at the end."""
    rows = db.rows(f"SELECT {_COLUMNS} FROM document WHERE kind = ? ORDER BY last_day < 0, last_day, id", (kind,))
    return [_row(row) for row in rows]


def document_hashes(db: Database, source_id: int) -> dict[str, str]:
    """Uid → content hash of one source's documents."""
    rows = db.rows("SELECT uid, content_hash FROM document WHERE source_id = ?", (source_id,))
    return {str(row[0]): str(row[1]) for row in rows}


def document_id(db: Database, source_id: int, uid: str) -> int:
    """The id of a source's document, or 0."""
    return int(db.value("SELECT id FROM document WHERE source_id = ? AND uid = ?", (source_id, uid)) or 0)


def newest_text(db: Database, source_id: int) -> str:
    """The text of the document that was stored last, or an empty string."""
    return str(db.value("SELECT text FROM document WHERE source_id = ? ORDER BY id DESC LIMIT 1", (source_id,)) or "")


def used_titles(db: Database) -> list[str]:
    """The titles of all documents whose source may be used."""
    return [
        str(row[0])
        for row in db.rows("SELECT title FROM document JOIN source ON source.id = source_id WHERE use <> 'none'")
    ]
