"""Where the words of a dataset's training samples came from, and which of them are gone since."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.database import Database

_PARTS = " FROM example JOIN example_part ON example_id = example.id WHERE dataset_id = ? AND split = 'train'"
_SHOWN = (
    "SELECT DISTINCT json_each.value AS uid FROM example JOIN example_part ON example_id = example.id,"
    " json_each(memory_uids) WHERE dataset_id = ? AND split = 'train'"
)
_ANSWERED = (
    "SELECT source_id, visibility FROM exchange JOIN conversation ON conversation.id = conversation_id"
    f" WHERE exchange.uid IN (SELECT exchange_uid{_PARTS})"
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
    """One source, and what of it is in the training samples of a dataset."""

    source_id: int
    location: str
    use: str
    """As it is now; what went in was cleared for training then."""
    exchanges: int
    memories: int
    private: int
    """Of these exchanges and memories, those from what was written or said in private."""


def origins(db: Database, dataset_id: int) -> list[OriginRow]:
    """Every source that is still here, in the order of their import."""
    rows = db.rows(
        "SELECT source.id, location, use, sum(kind = 'x'), sum(kind = 'm'), sum(visibility = 'private')"
        f" FROM (SELECT 'x' AS kind, source_id, visibility FROM ({_ANSWERED})"
        f" UNION ALL SELECT 'm', source_id, visibility FROM ({_REMEMBERED}))"
        " JOIN source ON source.id = source_id GROUP BY source.id ORDER BY source.id",
        (dataset_id, dataset_id),
    )
    return [OriginRow(*row) for row in rows]


def gone(db: Database, dataset_id: int) -> tuple[int, int]:
    """(exchanges, memories) of the training samples that the workspace does not hold any more."""
    exchanges = db.value(
        f"SELECT count(DISTINCT exchange_uid){_PARTS} AND exchange_uid NOT IN (SELECT uid FROM exchange)",
        (dataset_id,),
    )
    memories = db.value(f"SELECT count(*) FROM ({_SHOWN}) WHERE uid NOT IN (SELECT uid FROM memory)", (dataset_id,))
    return int(exchanges), int(memories)


def shown_memories(db: Database, dataset_id: int) -> set[str]:
    """Uids of the memories that the training samples show."""
    return {str(row[0]) for row in db.rows(_SHOWN, (dataset_id,))}


def languages(db: Database, dataset_id: int) -> list[str]:
    """Languages that documents behind those memories say they are in, in alphabetical order."""
    rows = db.rows(
        "SELECT DISTINCT language FROM memory JOIN chunk ON chunk.id = chunk_id JOIN document ON"
        f" document.id = document_id WHERE language <> '' AND memory.uid IN ({_SHOWN}) ORDER BY language",
        (dataset_id,),
    )
    return [str(row[0]) for row in rows]
