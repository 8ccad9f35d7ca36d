"""Sources: what was imported, from where, and what its words may be used for."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.database import Database

_COLUMNS = "id, uid, location, format, content_hash, use, imported_at"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One imported file, archive or address."""

    id: int
    uid: str
    location: str
    format: str
    content_hash: str
    """Of everything parsed from it; empty while an import is under way."""
    use: str
    imported_at: str


def find_source(db: Database, uid: str) -> SourceRow | None:
    row = db.one(f"SELECT {_COLUMNS} FROM source WHERE uid = ?", (uid,))
    return SourceRow(*row) if row else None


def list_sources(db: Database) -> list[SourceRow]:
    return [SourceRow(*row) for row in db.rows(f"SELECT {_COLUMNS} FROM source ORDER BY id")]


def begin_source(db: Database, uid: str, location: str, format_name: str, use: str, at: str) -> int:
    """Insert or reopen a source; its hash is empty until ``finish_source``. Returns its id."""
    db.execute(
        "INSERT INTO source (uid, location, format, content_hash, use, imported_at) VALUES (?, ?, ?, '', ?, ?)"
        " ON CONFLICT (uid) DO UPDATE SET content_hash = '', format = excluded.format, use = excluded.use,"
        " location = excluded.location, imported_at = excluded.imported_at",
        (uid, location, format_name, use, at),
    )
    return int(db.value("SELECT id FROM source WHERE uid = ?", (uid,)))


def finish_source(db: Database, source_id: int, content_hash: str) -> None:
    db.execute("UPDATE source SET content_hash = ? WHERE id = ?", (content_hash, source_id))
