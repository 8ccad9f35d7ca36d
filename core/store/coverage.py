"""How often each passage was recalled."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True, slots=True)
class PassageUse:
    """One passage and how many memories there are of it."""

    chunk_id: int
    owner_uid: str
    """Of its document, or of its conversation."""
    title: str
    date: str
    kind: str
    """``writing``, ``journal``, ``profile`` or ``exchange``."""
    use: str
    source: str
    """Where its source was imported from."""
    last_day: int
    """Ordinal of the last day its date may mean, -1 when undated."""
    memories: int


def passage_uses(db: Database) -> list[PassageUse]:
    """Every passage there is, by its id, with the number of memories of it in any state."""
    rows = db.rows(
        "SELECT chunk.id, coalesce(document.uid, conversation.uid), coalesce(document.title, conversation.title),"
        " coalesce(document.date, conversation.date), coalesce(document.kind, 'exchange'), source.use,"
        " source.location, chunk.last_day, coalesce(recalled.times, 0)"
        " FROM chunk LEFT JOIN document ON document.id = document_id"
        " LEFT JOIN exchange ON exchange.id = exchange_id"
        " LEFT JOIN conversation ON conversation.id = exchange.conversation_id"
        " JOIN source ON source.id = coalesce(document.source_id, conversation.source_id)"
        " LEFT JOIN (SELECT chunk_id, count(*) AS times FROM memory GROUP BY chunk_id) AS recalled"
        " ON recalled.chunk_id = chunk.id ORDER BY chunk.id"
    )
    return [PassageUse(*row) for row in rows]


def last_question_day(db: Database) -> int:
    """The latest day on which a question with memories was asked, -1 where none is dated."""
    return int(
        db.value("SELECT coalesce(max(first_day), -1) FROM exchange WHERE id IN (SELECT exchange_id FROM memory)")
    )
