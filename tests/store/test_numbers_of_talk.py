"""Sessions from before their numbers were never given again keep all that hangs on them."""

from __future__ import annotations

from pathlib import Path

import apsw

from core.store.database import Database, migrations
from core.store.sessions import begin_session, list_sessions, remove_session

OLDER = 10
"""The last schema in which a number came again."""
HANGING = ("message_memory", "receipt", "message_rating", "pair", "statement")
"""Tables that refer to messages."""


def test_a_talk_from_before_keeps_all_that_hangs_on_it(tmp_path: Path) -> None:
    path = tmp_path / "persona.db"
    connection = apsw.Connection(str(path))
    for number in range(1, OLDER + 1):
        connection.execute(migrations()[number])
    connection.execute(
        f"PRAGMA user_version = {OLDER};"
        "INSERT INTO session VALUES (7, NULL, '2019', 'then');"
        "INSERT INTO message VALUES (4, 7, 'user', 'Nell', 'Do you keep charts?', '', '{}', 'then'),"
        " (5, 7, 'assistant', 'Ada', 'In the long drawer.', 'the prompt', '{}', 'later');"
        "INSERT INTO message_memory VALUES (5, 0, NULL, 'a drawer');"
        "INSERT INTO receipt VALUES (5, 0, 'In the long drawer.', NULL, 0.5, 'unsupported');"
        "INSERT INTO message_rating VALUES (5, 1, 'later');"
        "INSERT INTO pair (uid, question, prompt, left_text, right_text, origin, message_id, created_at)"
        " VALUES ('p', 'q', '', 'l', 'r', 'correction', 5, 'later');"
        "INSERT INTO statement (uid, kind, text, instead_of, date, last_day, message_id, actor, created_at)"
        " VALUES ('s', 'never', 'drawer', '', '', -1, 5, 'me', 'later')"
    )
    tables = ("session", "message", *HANGING)
    before = {table: list(connection.execute(f"SELECT * FROM {table}")) for table in tables}
    connection.close()
    database = Database.open(path)
    try:
        assert {table: database.rows(f"SELECT * FROM {table}") for table in tables} == before
        assert database.value("PRAGMA foreign_key_check") is None
        assert [each.id for each in list_sessions(database, ["drawer", "charts"])] == [7]
        with database.write():
            remove_session(database, 7)
            assert begin_session(database, None, "", "now") == 8
        assert list_sessions(database, ["drawer"]) == []
        assert database.value("SELECT count(*) FROM message") == 0, "foreign keys hold again"
        assert [database.value(f"SELECT count(*) FROM {table}") for table in HANGING] == [0, 0, 0, 1, 1]
        assert database.rows("SELECT message_id FROM pair UNION SELECT message_id FROM statement") == [(None,)]
    finally:
        database.close()
