"""Hosts that may receive words, and what may be said of the words themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.store.database import Database

_OWNERS = (
    "SELECT source.use, document.kind FROM document JOIN source ON source.id = source_id WHERE document.uid = ?1",
    "SELECT source.use, 'conversation' FROM conversation JOIN source ON source.id = source_id"
    " WHERE conversation.uid = ?1",
    "SELECT source.use, 'conversation' FROM exchange JOIN conversation ON conversation.id = conversation_id"
    " JOIN source ON source.id = source_id WHERE exchange.uid = ?1",
    "SELECT source.use, document.kind FROM chunk JOIN document ON document.id = document_id"
    " JOIN source ON source.id = document.source_id WHERE chunk.uid = ?1",
    "SELECT source.use, 'conversation' FROM chunk JOIN exchange ON exchange.id = exchange_id"
    " JOIN conversation ON conversation.id = conversation_id JOIN source ON source.id = conversation.source_id"
    " WHERE chunk.uid = ?1",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person has said of the source of some words; the same uid may stand in more than one source."""

    uid: str
    uses: frozenset[str]
    """Empty where nothing has this uid."""
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A host that may receive text, and since when."""

    host: str
    granted_at: str


def standing_of(db: Database, uids: Sequence[str]) -> list[Standing]:
    """For each uid of a document, conversation, exchange or passage, how its words may be used."""
    found = []
    for uid in uids:
        rows = [row for sql in _OWNERS for row in db.rows(sql, (uid,))]
        found.append(Standing(uid, frozenset(row[0] for row in rows), frozenset(row[1] for row in rows)))
    return found


def list_consents(db: Database) -> list[ConsentRow]:
    return [ConsentRow(*row) for row in db.rows("SELECT host, granted_at FROM consent ORDER BY host")]


def has_consent(db: Database, hosts: Sequence[str]) -> bool:
    """Whether any of these spellings of a host may receive text."""
    return any(db.value("SELECT 1 FROM consent WHERE host = ?", (host,)) for host in hosts)


def grant_consent(db: Database, host: str, at: str) -> None:
    """One transaction of its own."""
    with db.write():
        db.execute("INSERT INTO consent (host, granted_at) VALUES (?, ?) ON CONFLICT (host) DO NOTHING", (host, at))


def revoke_consent(db: Database, host: str) -> bool:
    """Whether there was one. One transaction of its own."""
    with db.write():
        had = bool(db.value("SELECT 1 FROM consent WHERE host = ?", (host,)))
        db.execute("DELETE FROM consent WHERE host = ?", (host,))
    return had
