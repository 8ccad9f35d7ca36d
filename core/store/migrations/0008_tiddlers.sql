-- A tiddler as it was written, every field of it, so that it goes out again as it came in. `fields` is one JSON object
-- in ASCII: a title or a text that SQLite could not hold is escaped there.
CREATE TABLE tiddler (
    document_id INTEGER PRIMARY KEY REFERENCES document (id) ON DELETE CASCADE,
    fields      TEXT NOT NULL
) STRICT;

-- What a folder that the journal is kept in step with held of each tiddler when the two were last the same.
CREATE TABLE synced_tiddler (
    folder TEXT NOT NULL,
    title  TEXT NOT NULL,
    hash   TEXT NOT NULL,
    PRIMARY KEY (folder, title)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_by_kind ON document (kind, last_day);
