-- The number of a session or a message that was removed is never given again: whoever still holds it would go on in
-- another's talk, or judge another's answer. Only a table that is made anew can be so (AUTOINCREMENT).

CREATE TABLE session_anew (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    adapter_id INTEGER REFERENCES adapter (id),
    as_of      TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO session_anew (id, adapter_id, as_of, created_at) SELECT id, adapter_id, as_of, created_at FROM session;
DROP TABLE session;
ALTER TABLE session_anew RENAME TO session;

CREATE TABLE message_anew (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    speaker    TEXT NOT NULL,
    text       TEXT NOT NULL,
    prompt     TEXT NOT NULL,
    settings   TEXT NOT NULL,                   -- JSON: seed, temperature, engine
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO message_anew (id, session_id, role, speaker, text, prompt, settings, created_at)
    SELECT id, session_id, role, speaker, text, prompt, settings, created_at FROM message;
DROP TABLE message;
ALTER TABLE message_anew RENAME TO message;
CREATE INDEX message_of_session ON message (session_id);

-- The index of words knows messages by their ids, which stay; its triggers went with the table.
CREATE TRIGGER message_gives_its_words AFTER INSERT ON message
BEGIN
    INSERT INTO message_text (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER message_takes_its_words AFTER DELETE ON message
BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE TRIGGER message_changes_its_words AFTER UPDATE OF id, text ON message
BEGIN
    INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO message_text (rowid, text) VALUES (new.id, new.text);
END;
