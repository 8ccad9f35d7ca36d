"""Pairs that were made before it was kept what they rest on: told from their chats where those still tell it."""

from __future__ import annotations

from pathlib import Path

import apsw

from core.store.database import Database, migrations
from core.store.pairs import list_pairs

AT = "2026-01-02T03:04:05+00:00"
OLDER = 9
"""The last schema without it."""


def test_what_older_pairs_rest_on_is_told_by_their_chats(tmp_path: Path) -> None:
    path = tmp_path / "persona.db"
    connection = apsw.Connection(str(path))
    for number in range(1, OLDER + 1):
        connection.execute(migrations()[number])
    connection.execute(f"PRAGMA user_version = {OLDER}")
    connection.execute(
        "INSERT INTO source VALUES (1, 's', 'letter.md', 'text', 'h', 'train', 0, '');"
        "INSERT INTO document VALUES (1, 'letter', 1, 0, 'writing', '', '', '', 'unknown', -1, -1, 't', '', 'public',"
        " '', '[]', 'h');"
        "INSERT INTO chunk VALUES (1, 'c', 1, NULL, 0, 0, 1, 't', 1, -1);"
        "INSERT INTO session VALUES (1, NULL, '', ''), (2, NULL, '', '');"
        "INSERT INTO message (id, session_id, role, speaker, text, prompt, settings, created_at) VALUES"
        " (1, 1, 'assistant', '', 'a', 'p', '{}', ''), (2, 1, 'assistant', '', 'b', 'p', '{}', ''),"
        " (3, 1, 'assistant', '', 'c', 'p', '{}', ''), (4, 2, 'assistant', '', 'd', 'p', '{}', '');"
        # The second answer shows the letter, the third what is gone since.
        "INSERT INTO message_memory VALUES (2, 0, 1, 't'), (2, 1, 1, 't'), (3, 0, NULL, 't')"
    )
    for number, (origin, message) in enumerate([
        ("correction", 1), ("correction", 2), ("comparison", 3), ("correction", 4), ("correction", None),
        ("generated", None), ("import", None),
    ]):  # fmt: skip
        connection.execute(
            "INSERT INTO pair (uid, question, prompt, left_text, right_text, origin, message_id, created_at)"
            " VALUES (?, 'q', 'p', 'l', 'r', ?, ?, ?)",
            (f"u{number}", origin, message, AT),
        )
    connection.close()
    database = Database.open(path)
    assert [pair.owners for pair in list_pairs(database)] == [(), ("letter",), None, (), None, None, ()]
    database.close()
