"""Chat sessions, their messages, and the receipts of what each sentence rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.store.database import Database
from core.store.identity import content_uid
from core.store.session_search import said_somewhere


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session that holds something."""

    id: int
    adapter: str
    """Its name; empty for the bare base model."""
    as_of: str
    created_at: str
    last_at: str
    questions: int
    first: str
    """Its first question."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message; ``rating`` is 1, -1, or 0 where nobody has said."""

    id: int
    session_id: int
    role: str
    speaker: str
    text: str
    prompt: str
    settings: dict[str, Any]
    created_at: str
    rating: int


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """What one sentence of an answer rests on; ``chunk_id`` is None without support, or once the passage is gone."""

    sentence: str
    chunk_id: int | None
    score: float
    kind: str
    """``supported``, ``style`` (it claims nothing) or ``unsupported``."""


@dataclass(frozen=True, slots=True)
class ShownMemory:
    """A memory as a prompt showed it; ``chunk_id`` is None once its passage is gone."""

    chunk_id: int | None
    text: str


def begin_session(db: Database, adapter_id: int | None, as_of: str, at: str) -> int:
    return db.insert("INSERT INTO session (adapter_id, as_of, created_at) VALUES (?, ?, ?)", (adapter_id, as_of, at))


def add_message(
    db: Database, session_id: int, role: str, speaker: str, text: str, prompt: str, settings: dict[str, Any], at: str
) -> int:
    """Store one message with the exact prompt that it answers (empty for the user's own)."""
    return db.insert(
        "INSERT INTO message (session_id, role, speaker, text, prompt, settings, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session_id, role, speaker, text, prompt, json.dumps(settings, sort_keys=True), at),
    )


def add_receipts(db: Database, message_id: int, receipts: Sequence[tuple[str, int | None, float, str]]) -> None:
    """Store (sentence, chunk id or None, score, kind) in the order of the sentences."""
    db.execute_many(
        "INSERT INTO receipt (message_id, position, sentence, chunk_id, score, kind) VALUES (?, ?, ?, ?, ?, ?)",
        ((message_id, position, *receipt) for position, receipt in enumerate(receipts)),
    )


def add_memories(db: Database, message_id: int, memories: Sequence[tuple[int, str]]) -> None:
    """Store (chunk id, text) of the memories that a message's prompt showed, in their order."""
    db.execute_many(
        "INSERT INTO message_memory (message_id, position, chunk_id, text) VALUES (?, ?, ?, ?)",
        ((message_id, position, *memory) for position, memory in enumerate(memories)),
    )


def list_sessions(db: Database, words: Sequence[str] = (), limit: int = 500) -> list[SessionRow]:
    """Sessions in which every word is said somewhere, if only its beginning; the one talked in last comes first."""
    condition, parameters = said_somewhere(words)
    return _sessions(db, condition, [*parameters, limit])


def find_session(db: Database, session_id: int) -> SessionRow | None:
    """The session with this id, if it holds a message."""
    rows = _sessions(db, "session.id = ?", [session_id, 1])
    return rows[0] if rows else None


def session_adapter(db: Database, session_id: int) -> tuple[int | None, str] | None:
    """The adapter's id and the as-of date of a session, or None when there is no such session."""
    row = db.one("SELECT adapter_id, as_of FROM session WHERE id = ?", (session_id,))
    return (row[0], row[1]) if row else None


def remove_session(db: Database, session_id: int) -> None:
    """Remove a session with its messages, receipts and ratings; pairs that were made of it stay."""
    db.execute("DELETE FROM session WHERE id = ?", (session_id,))


def session_messages(db: Database, session_id: int) -> list[MessageRow]:
    """In the order in which they were said."""
    return _messages(db, "session_id = ?", (session_id,))


def find_message(db: Database, message_id: int) -> MessageRow | None:
    rows = _messages(db, "message.id = ?", (message_id,))
    return rows[0] if rows else None


def rated_messages(db: Database) -> list[MessageRow]:
    """Every answer that somebody called good or bad, oldest first."""
    return _messages(db, "rating IS NOT NULL", ())


def question_of(db: Database, message: MessageRow) -> MessageRow | None:
    """The question that an answer answers."""
    rows = _messages(db, "session_id = ? AND role = 'user' AND message.id < ?", (message.session_id, message.id))
    return rows[-1] if rows else None


def receipts_of_message(db: Database, message_id: int) -> list[ReceiptRow]:
    rows = db.rows(
        "SELECT sentence, chunk_id, score, kind FROM receipt WHERE message_id = ? ORDER BY position", (message_id,)
    )
    return [ReceiptRow(*row) for row in rows]


def memories_of_message(db: Database, message_id: int) -> list[ShownMemory]:
    rows = db.rows("SELECT chunk_id, text FROM message_memory WHERE message_id = ? ORDER BY position", (message_id,))
    return [ShownMemory(*row) for row in rows]


def rests_on(db: Database, message_id: int) -> tuple[str, ...] | None:
    """uids of the documents and exchanges that the prompt of an answer may show words of: those that were recalled for
    any answer of the session up to it. None where a passage is gone, since nobody can tell what it was for."""
    rows = db.rows(
        "SELECT DISTINCT coalesce(document.uid, exchange.uid) FROM message AS judged"
        " JOIN message ON message.session_id = judged.session_id AND message.id <= judged.id"
        " JOIN message_memory ON message_memory.message_id = message.id LEFT JOIN chunk ON chunk.id = chunk_id"
        " LEFT JOIN document ON document.id = chunk.document_id LEFT JOIN exchange ON exchange.id = chunk.exchange_id"
        " WHERE judged.id = ? ORDER BY 1",
        (message_id,),
    )
    owners = tuple(row[0] for row in rows)
    return None if None in owners else owners


def answer_uid(question: str, message: MessageRow) -> str:
    """The same for an answer wherever it is kept: row ids differ between machines that were merged."""
    return content_uid("answer", question, message.prompt, message.text)


def said_answers(db: Database) -> list[MessageRow]:
    """Every answer of every session, oldest first."""
    return _messages(db, "role = 'assistant'", ())


def rate_message(db: Database, message_id: int, rating: int, at: str) -> None:
    """Say that an answer is good (1) or bad (-1); 0 takes it back. The caller holds the transaction."""
    if rating == 0:
        db.execute("DELETE FROM message_rating WHERE message_id = ?", (message_id,))
        return
    db.execute(
        "INSERT INTO message_rating (message_id, rating, rated_at) VALUES (?, ?, ?)"
        " ON CONFLICT (message_id) DO UPDATE SET rating = excluded.rating, rated_at = excluded.rated_at",
        (message_id, rating, at),
    )


def _sessions(db: Database, where: str, parameters: Sequence[object]) -> list[SessionRow]:
    rows = db.rows(
        "SELECT session.id, coalesce(adapter.name, ''), session.as_of, session.created_at,"
        " (SELECT created_at FROM message WHERE session_id = session.id ORDER BY id DESC LIMIT 1),"
        " (SELECT count(*) FROM message WHERE session_id = session.id AND role = 'user'),"
        " (SELECT text FROM message WHERE session_id = session.id ORDER BY id LIMIT 1)"
        " FROM session LEFT JOIN adapter ON adapter.id = adapter_id"
        f" WHERE EXISTS (SELECT 1 FROM message WHERE session_id = session.id) AND {where}"
        " ORDER BY (SELECT max(id) FROM message WHERE session_id = session.id) DESC LIMIT ?",
        parameters,
    )
    return [SessionRow(*row) for row in rows]


def _messages(db: Database, where: str, parameters: Sequence[object]) -> list[MessageRow]:
    rows = db.rows(
        "SELECT message.id, session_id, role, speaker, text, prompt, settings, created_at, coalesce(rating, 0)"
        f" FROM message LEFT JOIN message_rating ON message_id = message.id WHERE {where} ORDER BY message.id",
        parameters,
    )
    return [MessageRow(*[*row[:6], json.loads(row[6]), *row[7:]]) for row in rows]
