"""Sources: what was imported, from where, and what its words may be used for."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.database import Database
from core.store.identity import content_uid

_COLUMNS = "id, uid, location, format, content_hash, use, use_chosen, imported_at"


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
    use_chosen: int
    """1 when a person said so, 0 when it follows from what the source holds."""
    imported_at: str


def find_source(db: Database, uid: str) -> SourceRow | None:
    row = db.one(f"SELECT {_COLUMNS} FROM source WHERE uid = ?", (uid,))
    return SourceRow(*row) if row else None


def list_sources(db: Database) -> list[SourceRow]:
    return [SourceRow(*row) for row in db.rows(f"SELECT {_COLUMNS} FROM source ORDER BY id")]


def begin_source(db: Database, uid: str, location: str, format_name: str, use: str, chosen: bool, at: str) -> int:
    """Insert or reopen a source; its hash is empty until ``finish_source``. Returns its id."""
    db.execute(
        "INSERT INTO source (uid, location, format, content_hash, use, use_chosen, imported_at)"
        " VALUES (?, ?, ?, '', ?, ?, ?)"
        " ON CONFLICT (uid) DO UPDATE SET content_hash = '', format = excluded.format, use = excluded.use,"
        " use_chosen = excluded.use_chosen,"
        " location = excluded.location, imported_at = excluded.imported_at",
        (uid, location, format_name, use, int(chosen), at),
    )
    return int(db.value("SELECT id FROM source WHERE uid = ?", (uid,)))


def content_of(db: Database, source_id: int) -> str:
    """The hash of a source's content, as an import makes it."""
    rows = db.rows(
        "SELECT content_hash FROM document WHERE source_id = ?1"
        " UNION ALL SELECT content_hash FROM conversation WHERE source_id = ?1",
        (source_id,),
    )
    return content_uid("content", sorted(row[0] for row in rows))


def use_chosen_for(db: Database, source_id: int) -> str:
    """What a person said a source may be used for; empty where nobody did."""
    return str(db.value("SELECT use FROM source WHERE id = ? AND use_chosen = 1", (source_id,)) or "")


def inherit_use(db: Database, source_id: int, earlier_id: int) -> None:
    """What a person said an earlier source may be used for holds for the one that goes on from it, unless they said
    something of that one."""
    use = use_chosen_for(db, earlier_id)
    if use:
        db.execute("UPDATE source SET use = ?, use_chosen = 1 WHERE id = ? AND use_chosen = 0", (use, source_id))


def finish_source(db: Database, source_id: int, content_hash: str, use: str) -> None:
    """The source is whole, and its words may be used so; with ``none`` its passages go at once."""
    db.execute("UPDATE source SET content_hash = ?, use = ? WHERE id = ?", (content_hash, use, source_id))
    if use == "none":
        db.execute(
            "DELETE FROM chunk WHERE document_id IN (SELECT id FROM document WHERE source_id = ?) OR exchange_id IN"
            " (SELECT exchange.id FROM exchange JOIN conversation ON conversation.id = conversation_id"
            " WHERE source_id = ?)",
            (source_id, source_id),
        )
