"""Chat sessions, their messages, and the receipts of what each sentence rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.store.database import Database


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


def add_receipts(db: Database, message_id: int, receipts: Sequence[tuple[str, int | None, float]]) -> None:
    """Store (sentence, chunk id or None, score) in the order of the sentences."""
    db.execute_many(
        "INSERT INTO receipt (message_id, position, sentence, chunk_id, score) VALUES (?, ?, ?, ?, ?)",
        ((message_id, position, *receipt) for position, receipt in enumerate(receipts)),
    )


def add_memories(db: Database, message_id: int, memories: Sequence[tuple[int, str]]) -> None:
    """Store (chunk id, text) of the memories that a message's prompt showed, in their order."""
    db.execute_many(
        "INSERT INTO message_memory (message_id, position, chunk_id, text) VALUES (?, ?, ?, ?)",
        ((message_id, position, *memory) for position, memory in enumerate(memories)),
    )
