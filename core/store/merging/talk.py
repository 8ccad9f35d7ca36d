"""Chat sessions, what was made of their answers, and proposals of the other side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from hashlib import sha256

from core.store.database import Database, Row
from core.store.merging.tables import Tally, changes

_MESSAGE = "role, speaker, text, prompt, settings, created_at"


def merge_talk(db: Database, adapters: Mapping[int, int], tally: Tally) -> None:
    """Bring sessions, messages, ratings, pairs, proposals and statements; ``adapters`` tells their ids here.

    A session that went on on both sides holds what was said on both. The caller holds the transaction.
    """
    messages = _merge_sessions(db, adapters, tally)
    _merge_ratings(db, messages)
    rows = db.rows(
        "SELECT uid, question, prompt, left_text, right_text, origin, message_id, created_at, owners FROM other.pair"
        " WHERE uid NOT IN (SELECT uid FROM main.pair) ORDER BY id"
    )
    for uid, question, prompt, left, right, origin, message_id, created_at, owners in rows:
        db.execute(
            "INSERT INTO main.pair (uid, question, prompt, left_text, right_text, origin, message_id, created_at,"
            " owners) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (uid, question, prompt, left, right, origin, messages.get(message_id), created_at, owners),
        )
    db.execute(
        "UPDATE main.pair SET owners = (SELECT owners FROM other.pair AS theirs WHERE theirs.uid = pair.uid)"
        " WHERE owners IS NULL"
    )
    tally.added["pairs"] += len(rows)
    columns = "uid, kind, about, title, before, after, reason, score, created_at"
    _merge_statements(db, messages, tally)
    tally.added["proposals"] += changes(
        db,
        f"INSERT INTO main.proposal ({columns}) SELECT {columns} FROM other.proposal"
        " WHERE uid NOT IN (SELECT uid FROM main.proposal) ORDER BY id",
    )


def _merge_statements(db: Database, messages: Mapping[int, int], tally: Tally) -> None:
    rows = db.rows(
        "SELECT uid, kind, text, instead_of, date, last_day, message_id, actor, created_at FROM other.statement"
        " WHERE uid NOT IN (SELECT uid FROM main.statement) ORDER BY id"
    )
    for *values, message_id, actor, created_at in rows:
        db.execute(
            "INSERT INTO main.statement (uid, kind, text, instead_of, date, last_day, message_id, actor, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, messages.get(message_id), actor, created_at),
        )
    tally.added["statements"] += len(rows)
    db.execute(
        "INSERT INTO main.statement_end (statement_uid, actor, ended_at)"
        " SELECT statement_uid, actor, ended_at FROM other.statement_end WHERE true ON CONFLICT DO NOTHING"
    )


def _merge_sessions(db: Database, adapters: Mapping[int, int], tally: Tally) -> dict[int, int]:
    """Returns message id there → message id here."""
    known = {key: session_id for key, session_id, _ in _sessions(db, "main")}
    told: dict[int, int] = {}
    for key, their_id, (adapter_id, as_of, created_at) in _sessions(db, "other"):
        here = known.get(key)
        if here is None:
            tally.added["sessions"] += 1
            here = db.insert(
                "INSERT INTO main.session (adapter_id, as_of, created_at) VALUES (?, ?, ?)",
                (adapters.get(adapter_id), as_of, created_at),
            )
        own = dict(_messages(db, "main", here))
        for message_key, message_id in _messages(db, "other", their_id):
            if message_key in own:
                told[message_id] = own[message_key]
            else:
                tally.added["messages"] += 1
                told[message_id] = _bring_message(db, message_id, here)
    return told


def _sessions(db: Database, schema: str) -> Iterator[tuple[Hashable, int, Row]]:
    """(what tells it from others, id, its own columns) of each session that holds something."""
    rows = db.rows(
        f"SELECT session.id, session.adapter_id, session.as_of, session.created_at, message.role, message.speaker,"
        f" message.text FROM {schema}.session JOIN {schema}.message ON message.id ="
        f" (SELECT min(id) FROM {schema}.message AS said WHERE said.session_id = session.id) ORDER BY session.id"
    )
    for key, row in _numbered((row[2:], row) for row in rows):
        yield key, int(row[0]), row[1:4]


def _messages(db: Database, schema: str, session_id: int) -> Iterator[tuple[Hashable, int]]:
    rows = db.rows(
        f"SELECT id, role, speaker, text, prompt, created_at FROM {schema}.message WHERE session_id = ? ORDER BY id",
        (session_id,),
    )
    for key, row in _numbered((sha256(repr(row[1:]).encode("utf-8", "replace")).digest(), row) for row in rows):
        yield key, int(row[0])


def _numbered(rows: Iterable[tuple[Hashable, Row]]) -> Iterator[tuple[Hashable, Row]]:
    """Tell apart those that are equal, by which of them each is."""
    seen: Counter[Hashable] = Counter()
    for key, row in rows:
        yield (key, seen[key]), row
        seen[key] += 1


def _bring_message(db: Database, message_id: int, session_id: int) -> int:
    db.execute(
        f"INSERT INTO main.message (session_id, {_MESSAGE}) SELECT ?, {_MESSAGE} FROM other.message WHERE id = ?",
        (session_id, message_id),
    )
    here = db.connection.last_insert_rowid()
    for table, words in (("message_memory", "text"), ("receipt", "sentence, score, kind")):
        chosen = ", ".join(f"shown.{name}" for name in words.split(", "))
        db.execute(
            f"INSERT INTO main.{table} (message_id, position, chunk_id, {words})"
            f" SELECT ?, shown.position, own.id, {chosen} FROM other.{table} AS shown"
            " LEFT JOIN other.chunk AS theirs ON theirs.id = shown.chunk_id"
            " LEFT JOIN main.chunk AS own ON own.uid = theirs.uid WHERE shown.message_id = ?",
            (here, message_id),
        )
    return here


def _merge_ratings(db: Database, messages: Mapping[int, int]) -> None:
    for message_id, rating, rated_at in db.rows("SELECT message_id, rating, rated_at FROM other.message_rating"):
        if message_id in messages:
            db.execute(
                "INSERT INTO main.message_rating (message_id, rating, rated_at) VALUES (?, ?, ?)"
                " ON CONFLICT (message_id) DO UPDATE SET rating = excluded.rating, rated_at = excluded.rated_at"
                " WHERE (excluded.rated_at, excluded.rating) > (rated_at, rating)",
                (messages[message_id], rating, rated_at),
            )
