"""An answer as the store keeps it: with its prompt, how it was made, what it remembered, and its receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.errors import UsageError
from core.store.adapters import AdapterRow
from core.store.database import Database
from core.store.sessions import add_memories, add_message, add_receipts, session_adapter
from core.twin.receipts import Receipt
from core.twin.speaking import Prepared, Speaking
from core.workspace import Workspace

BY_RULE = "rule"
"""The engine of an answer that no model spoke."""


def store_answer(
    workspace: Workspace,
    prepared: Prepared,
    speaking: Speaking,
    receipts: Sequence[Receipt],
    adapter: AdapterRow | None,
    memories: bool,
) -> int:
    """Store what was spoken; returns the message's id. ``memories`` says whether any were wished for.

    Raises UsageError where its session was removed meanwhile.
    """
    database = workspace.database
    manner = prepared.manner
    settings: dict[str, Any] = {
        "engine": BY_RULE if prepared.unknown else prepared.voice.engine,
        "adapter": adapter.name if adapter else None,
        "temperature": manner.temperature,
        "seed": manner.seed,
        "max_tokens": manner.max_tokens,
        "memories": memories,
        "finish": speaking.ended,
        "repeatable": prepared.voice.repeatable,
    }
    if prepared.followed:
        settings["commands"] = [each.stored() for each in prepared.followed]
    if speaking.hybrid is not None:
        settings["hybrid"] = speaking.hybrid.stored() | {"prompt": speaking.hybrid.prompt}
    with database.write():
        stored_session(database, prepared.session_id)
        message_id = add_message(
            database, prepared.session_id, "assistant", workspace.target, speaking.text, prepared.prompt, settings,
            now(),
        )  # fmt: skip
        add_memories(
            database,
            message_id,
            [(each.found.passage.chunk.id, each.retold.text) for each in speaking.recollections],
        )
        add_receipts(
            database,
            message_id,
            [
                (each.sentence, each.source.found.passage.chunk.id if each.source else None, each.score, each.kind)
                for each in receipts
            ],
        )
    return message_id


def stored_session(database: Database, session_id: int) -> tuple[int | None, str]:
    """The adapter's id and the as-of date of a session. Raises UsageError when there is none, or no more."""
    known = session_adapter(database, session_id)
    if known is None:
        raise UsageError(f"there is no session {session_id} here", "begin one without naming a session")
    return known


def now() -> str:
    """This moment, as messages and sessions keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
