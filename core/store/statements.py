"""Statements: what a person told the twin in so many words, facts and what is never to be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.store.database import Database
from core.store.identity import content_uid, row_number

StatementKind = Literal["fact", "never"]
_COLUMNS = "statement.id, uid, kind, text, instead_of, date, last_day, message_id, statement.actor, created_at"


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One statement that stands. ``last_day`` is -1 for one that always held."""

    id: int
    uid: str
    kind: StatementKind
    text: str
    instead_of: str
    date: str
    last_day: int
    message_id: int | None
    actor: str
    created_at: str


def put_statement(
    db: Database,
    kind: StatementKind,
    text: str,
    instead_of: str,
    date: str,
    last_day: int,
    message_id: int | None,
    actor: str,
    at: str,
) -> str:
    """Store a statement and return its uid; said again after it was taken back, it stands again."""
    uid = content_uid("statement", kind, text, date)
    db.execute(
        "INSERT INTO statement (uid, kind, text, instead_of, date, last_day, message_id, actor, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
        (uid, kind, text, instead_of, date, last_day, message_id, actor, at),
    )
    db.execute("DELETE FROM statement_end WHERE statement_uid = ?", (uid,))
    return uid


def end_statement(db: Database, uid: str, actor: str, at: str) -> None:
    """Take a statement back."""
    db.execute(
        "INSERT INTO statement_end (statement_uid, actor, ended_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (uid, actor, at),
    )


def statements(db: Database, kind: StatementKind | None = None, before: int | None = None) -> list[StatementRow]:
    """Those that stand, oldest first; with a day, those that held before it."""
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM statement LEFT JOIN statement_end ON statement_uid = uid"
        " WHERE ended_at IS NULL AND (? IS NULL OR kind = ?) AND (? IS NULL OR last_day < ?) ORDER BY statement.id",
        (kind, kind, before, before),
    )
    return [StatementRow(*row) for row in rows]


def find_statement(db: Database, reference: str) -> StatementRow | None:
    """One that stands, by uid, or by ``s<row id>`` as lists print it."""
    number = row_number(reference, "s")
    return next((each for each in statements(db) if each.uid == reference or each.id == number), None)
