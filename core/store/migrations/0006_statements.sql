-- What a person told the twin in so many words: a fact that outranks memories, or words that are never to be said.
-- Taken back by a row in statement_end, so that what an old answer rested on can still be traced.
CREATE TABLE statement (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN ('fact', 'never')),
    text       TEXT NOT NULL,
    instead_of TEXT NOT NULL,                   -- what was wrong, '' when nothing was said before
    date       TEXT NOT NULL,                   -- since when it holds, ISO to its precision, '' for always
    last_day   INTEGER NOT NULL,                -- of that date, an ordinal, -1 for always
    message_id INTEGER REFERENCES message (id) ON DELETE SET NULL,
    actor      TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE statement_end (
    statement_uid TEXT PRIMARY KEY REFERENCES statement (uid),
    actor         TEXT NOT NULL,
    ended_at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
