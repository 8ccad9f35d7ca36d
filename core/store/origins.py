"""Where the words of a dataset's training samples came from, and which of them are gone since."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from core.store.database import Database

_TRAINED = "dataset_id IN (SELECT value FROM json_each(?1)) AND split = 'train'"
_PARTS = f" FROM example JOIN example_part ON example_id = example.id WHERE {_TRAINED}"
_SHOWN = (
    "SELECT DISTINCT memory.value AS uid FROM example JOIN example_part ON example_id = example.id,"
    f" json_each(memory_uids) AS memory WHERE {_TRAINED}"
)
_WHOLE = f" FROM example WHERE {_TRAINED} AND NOT EXISTS (SELECT 1 FROM example_part WHERE example_id = example.id)"
"""Samples that are pieces of a conversation as it was: no exchange of theirs is named."""
_ANSWERED = (
    "SELECT source_id, visibility FROM exchange JOIN conversation ON conversation.id = conversation_id"
    f" WHERE exchange.uid IN (SELECT exchange_uid{_PARTS})"
    f" OR conversation.uid IN (SELECT conversation_uid{_WHOLE})"
)
_REMEMBERED = (
    "SELECT coalesce(document.source_id, conversation.source_id) AS source_id,"
    " coalesce(document.visibility, conversation.visibility) AS visibility FROM memory JOIN chunk ON"
    " chunk.id = chunk_id LEFT JOIN document ON document.id = document_id LEFT JOIN exchange ON"
    " exchange.id = chunk.exchange_id LEFT JOIN conversation ON conversation.id = exchange.conversation_id"
    f" WHERE memory.uid IN ({_SHOWN})"
)


@dataclass(frozen=True, slots=True)
class OriginRow:
    """One source, and what of it is in the training samples of datasets."""

    source_id: int
    location: str
    use: str
    """As it is now; what went in was cleared for training then."""
    exchanges: int
    memories: int
    private: int
    """Of these exchanges and memories, those from what was written or said in private."""


def origins(db: Database, datasets: Collection[int]) -> list[OriginRow]:
    """Every source of these datasets that is still here, in the order of their import."""
    rows = db.rows(
        "SELECT source.id, location, use, sum(kind = 'x'), sum(kind = 'm'), sum(visibility = 'private')"
        f" FROM (SELECT 'x' AS kind, source_id, visibility FROM ({_ANSWERED})"
        f" UNION ALL SELECT 'm', source_id, visibility FROM ({_REMEMBERED}))"
        " JOIN source ON source.id = source_id GROUP BY source.id ORDER BY source.id",
        (json.dumps([*datasets]),),
    )
    return [OriginRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """A source that holds a document, a conversation or an exchange."""

    uid: str
    """Of what it holds."""
    source_id: int
    location: str
    use: str
    private: bool


def sources_of(db: Database, owners: Collection[str]) -> list[OwnerRow]:
    """The sources of documents, conversations and exchanges; what is gone has none."""
    rows = db.rows(
        "SELECT held.uid, source.id, location, use, visibility = 'private' FROM ("
        "SELECT uid, source_id, visibility FROM document UNION ALL"
        " SELECT uid, source_id, visibility FROM conversation UNION ALL"
        " SELECT exchange.uid, source_id, visibility FROM exchange JOIN conversation ON conversation.id ="
        " conversation_id) AS held JOIN source ON source.id = source_id"
        " WHERE held.uid IN (SELECT value FROM json_each(?)) ORDER BY source.id, held.uid",
        (json.dumps([*owners]),),
    )
    return [OwnerRow(*[*row[:4], bool(row[4])]) for row in rows]


def gone(db: Database, datasets: Collection[int]) -> tuple[int, int]:
    """(answers, memories) of the training samples that the workspace does not hold any more."""
    which = (json.dumps([*datasets]),)
    exchanges = db.value(
        f"SELECT count(DISTINCT exchange_uid){_PARTS} AND exchange_uid NOT IN (SELECT uid FROM exchange)", which
    )
    lines = sum(len(told - _spoken(db, uid)) for uid, told in _log_lines(db, which).items())
    memories = db.value(f"SELECT count(*) FROM ({_SHOWN}) WHERE uid NOT IN (SELECT uid FROM memory)", which)
    return int(exchanges) + lines, int(memories)


def _log_lines(db: Database, which: tuple[str]) -> dict[str, set[str]]:
    """Conversation uid → what the target says in the samples that are pieces of it."""
    rows = db.rows(
        "SELECT conversation_uid, substr(message.value ->> 'content', 1 + coalesce(message.value ->> 'head', 0))"
        f" FROM example, json_each(messages) AS message WHERE example.id IN (SELECT id{_WHOLE})"
        " AND message.value ->> 'trained'",
        which,
    )
    found: dict[str, set[str]] = {}
    for uid, said in rows:
        found.setdefault(uid, set()).add(_one_line(said))
    return found


def _spoken(db: Database, conversation_uid: str) -> set[str]:
    rows = db.rows(
        "SELECT text FROM turn JOIN conversation ON conversation.id = conversation_id WHERE uid = ?",
        (conversation_uid,),
    )
    return {_one_line(text) for (text,) in rows}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def shown_memories(db: Database, dataset_id: int) -> set[str]:
    """Uids of the memories that the training samples show."""
    return {str(row[0]) for row in db.rows(_SHOWN, (json.dumps([dataset_id]),))}


def languages(db: Database, dataset_id: int) -> list[str]:
    """Languages that documents behind those memories say they are in, in alphabetical order."""
    rows = db.rows(
        "SELECT DISTINCT language FROM memory JOIN chunk ON chunk.id = chunk_id JOIN document ON"
        f" document.id = document_id WHERE language <> '' AND memory.uid IN ({_SHOWN}) ORDER BY language",
        (json.dumps([dataset_id]),),
    )
    return [str(row[0]) for row in rows]
