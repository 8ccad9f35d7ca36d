"""The keys between nouns, in both directions, for walking provenance."""

from __future__ import annotations

from collections.abc import Callable

from core.store.database import Database

Place = tuple[str, int]
"""A noun (its table) and a row id."""
Step = Callable[[Database, str, int], list[Place]]

_LABELS = {
    "source": "SELECT format || ' ' || location FROM source WHERE id = ?",
    "document": "SELECT kind || ': ' || title || ' · ' || date FROM document WHERE id = ?",
    "conversation": "SELECT title || ' · ' || date FROM conversation WHERE id = ?",
    "exchange": "SELECT asker || ': ' || question FROM exchange WHERE id = ?",
    "chunk": "SELECT substr(text, 1, 200) FROM chunk WHERE id = ?",
    "memory": "SELECT text FROM memory WHERE id = ?",
    "dataset": "SELECT hash || ' · ' || created_at FROM dataset WHERE id = ?",
    "adapter": "SELECT name || ' on ' || base FROM adapter WHERE id = ?",
    "scorecard": "SELECT created_at FROM scorecard WHERE id = ?",
    "message": "SELECT speaker || ': ' || text FROM message WHERE id = ?",
}

_CAME_FROM = {
    "document": [("source", "SELECT source_id FROM document WHERE id = ?")],
    "conversation": [("source", "SELECT source_id FROM conversation WHERE id = ?")],
    "exchange": [("conversation", "SELECT conversation_id FROM exchange WHERE id = ?")],
    "chunk": [
        ("document", "SELECT document_id FROM chunk WHERE id = ?"),
        ("exchange", "SELECT exchange_id FROM chunk WHERE id = ?"),
    ],
    "memory": [
        ("chunk", "SELECT chunk_id FROM memory WHERE id = ?"),
        ("exchange", "SELECT exchange_id FROM memory WHERE id = ?"),
    ],
    "dataset": [
        (
            "memory",
            "SELECT DISTINCT memory.id FROM example JOIN example_part ON example_id = example.id,"
            " json_each(memory_uids) JOIN memory ON memory.uid = json_each.value WHERE dataset_id = ?",
        ),
        (
            "exchange",
            "SELECT DISTINCT exchange.id FROM example JOIN example_part ON example_id = example.id"
            " JOIN exchange ON exchange.uid = exchange_uid WHERE dataset_id = ?",
        ),
    ],
    "adapter": [("dataset", "SELECT dataset_id FROM adapter WHERE id = ?")],
    "scorecard": [
        ("adapter", "SELECT adapter_id FROM scorecard WHERE id = ?"),
        ("dataset", "SELECT dataset_id FROM scorecard WHERE id = ?"),
    ],
    "message": [
        ("chunk", "SELECT chunk_id FROM message_memory WHERE message_id = ? ORDER BY position"),
        ("adapter", "SELECT adapter_id FROM session JOIN message ON session_id = session.id WHERE message.id = ?"),
    ],
}

_BECAME = {
    "source": [
        ("document", "SELECT id FROM document WHERE source_id = ? ORDER BY id"),
        ("conversation", "SELECT id FROM conversation WHERE source_id = ? ORDER BY id"),
    ],
    "document": [("chunk", "SELECT id FROM chunk WHERE document_id = ? ORDER BY id")],
    "conversation": [("exchange", "SELECT id FROM exchange WHERE conversation_id = ? ORDER BY id")],
    "exchange": [
        ("chunk", "SELECT id FROM chunk WHERE exchange_id = ? ORDER BY id"),
        ("memory", "SELECT id FROM memory WHERE exchange_id = ? ORDER BY id"),
        (
            "dataset",
            "SELECT DISTINCT dataset_id FROM example JOIN example_part ON example_id = example.id"
            " WHERE exchange_uid = (SELECT uid FROM exchange WHERE id = ?)",
        ),
    ],
    "chunk": [
        ("memory", "SELECT id FROM memory WHERE chunk_id = ? ORDER BY id"),
        ("message", "SELECT DISTINCT message_id FROM message_memory WHERE chunk_id = ?"),
    ],
    "memory": [
        (
            "dataset",
            "SELECT DISTINCT dataset_id FROM example JOIN example_part ON example_id = example.id,"
            " json_each(memory_uids) WHERE json_each.value = (SELECT uid FROM memory WHERE id = ?)",
        )
    ],
    "dataset": [
        ("adapter", "SELECT id FROM adapter WHERE dataset_id = ? ORDER BY id"),
        ("scorecard", "SELECT id FROM scorecard WHERE dataset_id = ? ORDER BY id"),
    ],
    "adapter": [
        ("scorecard", "SELECT id FROM scorecard WHERE adapter_id = ? ORDER BY id"),
        (
            "message",
            "SELECT message.id FROM message JOIN session ON session.id = session_id WHERE adapter_id = ?"
            " AND role = 'assistant' ORDER BY message.id",
        ),
    ],
}


def label(db: Database, noun: str, row_id: int) -> str | None:
    """One line that names a thing, or None when it is not there."""
    found = db.value(_LABELS[noun], (row_id,))
    return None if found is None else str(found)


def came_from(db: Database, noun: str, row_id: int) -> list[Place]:
    return _follow(db, _CAME_FROM, noun, row_id)


def became(db: Database, noun: str, row_id: int) -> list[Place]:
    return _follow(db, _BECAME, noun, row_id)


def adapter_named(db: Database, name: str) -> int | None:
    found = db.value("SELECT id FROM adapter WHERE name = ?", (name,))
    return None if found is None else int(found)


def _follow(db: Database, keys: dict[str, list[tuple[str, str]]], noun: str, row_id: int) -> list[Place]:
    return [
        (other, int(row[0]))
        for other, query in keys.get(noun, [])
        for row in db.rows(query, (row_id,))
        if row[0] is not None
    ]
