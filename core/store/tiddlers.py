"""Tiddlers as they were written, beside the documents they became; and what a synced folder held of them."""

from __future__ import annotations

from collections.abc import Iterable

from core.store.database import Database


def put_tiddler(db: Database, source_id: int, document_uid: str, fields: str) -> bool:
    """Keep a document's fields, JSON of one object. Returns whether they are others than before."""
    known = db.one(
        "SELECT document.id, tiddler.fields FROM document LEFT JOIN tiddler ON document_id = document.id"
        " WHERE source_id = ? AND uid = ?",
        (source_id, document_uid),
    )
    if known is None or known[1] == fields:
        return False
    db.execute(
        "INSERT INTO tiddler (document_id, fields) VALUES (?, ?)"
        " ON CONFLICT (document_id) DO UPDATE SET fields = excluded.fields",
        (known[0], fields),
    )
    return True


def tiddlers_of_kind(db: Database, kind: str) -> dict[int, str]:
    """Document id → the fields of each document of a kind that was a tiddler."""
    rows = db.rows(
        "SELECT document_id, fields FROM tiddler JOIN document ON document.id = document_id WHERE kind = ?", (kind,)
    )
    return {int(row[0]): str(row[1]) for row in rows}


def synced_hashes(db: Database, folder: str) -> dict[str, str]:
    """Title → the hash of what a folder and the journal held alike."""
    rows = db.rows("SELECT title, hash FROM synced_tiddler WHERE folder = ?", (folder,))
    return {str(row[0]): str(row[1]) for row in rows}


def set_synced(db: Database, folder: str, hashes: Iterable[tuple[str, str]]) -> None:
    """Remember (title, hash) as what both hold. The caller holds the transaction."""
    db.execute_many(
        "INSERT INTO synced_tiddler (folder, title, hash) VALUES (?, ?, ?)"
        " ON CONFLICT (folder, title) DO UPDATE SET hash = excluded.hash",
        ((folder, title, value) for title, value in hashes),
    )
