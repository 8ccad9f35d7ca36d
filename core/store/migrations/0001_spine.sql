-- One target, one database. Text is exact. Days are ordinals, -1 when unknown (core.dates).
-- Every uid is stable: the same source read again, or the same work done again, gives the same uid.

CREATE TABLE source (
    id           INTEGER PRIMARY KEY,
    uid          TEXT NOT NULL UNIQUE,          -- hash of location
    location     TEXT NOT NULL,
    format       TEXT NOT NULL,
    content_hash TEXT NOT NULL,                 -- of what was parsed, '' while an import is under way
    use          TEXT NOT NULL CHECK (use IN ('train', 'recall', 'none')),
    use_chosen   INTEGER NOT NULL,              -- by a person, else by what the source holds
    imported_at  TEXT NOT NULL
) STRICT;

CREATE TABLE document (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    uid            TEXT NOT NULL,
    source_id      INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('writing', 'journal', 'profile')),
    title          TEXT NOT NULL,
    link           TEXT NOT NULL,
    date           TEXT NOT NULL,
    date_precision TEXT NOT NULL CHECK (date_precision IN ('day', 'month', 'year', 'unknown')),
    first_day      INTEGER NOT NULL,
    last_day       INTEGER NOT NULL,
    text           TEXT NOT NULL,
    language       TEXT NOT NULL,
    visibility     TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
    reply_to       TEXT NOT NULL,
    tags           TEXT NOT NULL,               -- JSON array
    content_hash   TEXT NOT NULL,
    UNIQUE (source_id, uid)
) STRICT;

CREATE INDEX document_by_content ON document (content_hash);

CREATE TABLE conversation (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    uid            TEXT NOT NULL,
    source_id      INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    title          TEXT NOT NULL,
    link           TEXT NOT NULL,
    date           TEXT NOT NULL,
    date_precision TEXT NOT NULL CHECK (date_precision IN ('day', 'month', 'year', 'unknown')),
    first_day      INTEGER NOT NULL,
    last_day       INTEGER NOT NULL,
    visibility     TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
    chat           INTEGER NOT NULL,
    content_hash   TEXT NOT NULL,
    UNIQUE (source_id, uid)
) STRICT;

CREATE INDEX conversation_by_content ON conversation (content_hash);

-- Kept apart from conversation, so that what was set aside stays set aside when a source is imported again.
CREATE TABLE conversation_split (
    conversation_uid TEXT PRIMARY KEY,
    split            TEXT NOT NULL CHECK (split IN ('train', 'validation', 'heldout')),
    chosen_by        TEXT NOT NULL CHECK (chosen_by IN ('person', 'rule'))
) STRICT, WITHOUT ROWID;

CREATE TABLE turn (
    id              INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    speaker         TEXT NOT NULL,
    text            TEXT NOT NULL,
    time            TEXT NOT NULL,
    reply_to        INTEGER,
    kind            TEXT NOT NULL CHECK (kind IN ('said', 'system', 'media', 'deleted')),
    UNIQUE (conversation_id, position)
) STRICT;

CREATE TABLE exchange (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uid             TEXT NOT NULL UNIQUE,
    conversation_id INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    segment         INTEGER NOT NULL,           -- a silence in a chat starts the next one
    asker           TEXT NOT NULL,
    question        TEXT NOT NULL,
    answer          TEXT NOT NULL,
    first_day       INTEGER NOT NULL,
    last_day        INTEGER NOT NULL,
    initiates       INTEGER NOT NULL
) STRICT;
CREATE INDEX exchange_of_conversation ON exchange (conversation_id, position);

CREATE TABLE chunk (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         TEXT NOT NULL UNIQUE,
    document_id INTEGER REFERENCES document (id) ON DELETE CASCADE,
    exchange_id INTEGER REFERENCES exchange (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    start       INTEGER NOT NULL,               -- characters into the document's text, or the exchange's answer
    stop        INTEGER NOT NULL,
    text        TEXT NOT NULL,
    tokens      INTEGER NOT NULL,
    last_day    INTEGER NOT NULL,
    CHECK ((document_id IS NULL) <> (exchange_id IS NULL))
) STRICT;
CREATE INDEX chunk_of_document ON chunk (document_id, position);
CREATE INDEX chunk_of_exchange ON chunk (exchange_id, position);

-- With which text, settings and split an owner was last cut into chunks.
CREATE TABLE chunked (
    owner    TEXT NOT NULL CHECK (owner IN ('document_id', 'exchange_id')),
    owner_id INTEGER NOT NULL,
    key      TEXT NOT NULL,
    PRIMARY KEY (owner, owner_id)
) STRICT, WITHOUT ROWID;

-- Ids are never used again (AUTOINCREMENT), so that a vector left behind can never meet another chunk.
CREATE VIRTUAL TABLE chunk_text USING fts5 (
    title, text, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TABLE vector (
    chunk_id  INTEGER NOT NULL,
    model     TEXT NOT NULL,
    revision  TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    blob      BLOB NOT NULL,
    PRIMARY KEY (chunk_id, model, revision)
) WITHOUT ROWID;

CREATE TRIGGER chunk_takes_its_text_and_vectors AFTER DELETE ON chunk
BEGIN
    DELETE FROM chunk_text WHERE rowid = old.id;
    DELETE FROM vector WHERE chunk_id = old.id;
END;

CREATE TABLE memory (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         TEXT NOT NULL UNIQUE,
    exchange_id INTEGER NOT NULL REFERENCES exchange (id) ON DELETE CASCADE,
    chunk_id    INTEGER NOT NULL REFERENCES chunk (id) ON DELETE CASCADE,
    rank        INTEGER NOT NULL,               -- among the candidates of its exchange, 1 is best
    score       REAL NOT NULL,                  -- the retriever's
    writer      TEXT NOT NULL,
    text        TEXT NOT NULL,
    quote       TEXT NOT NULL,
    quote_start INTEGER NOT NULL,               -- characters into the chunk's text
    quote_stop  INTEGER NOT NULL
) STRICT;
CREATE INDEX memory_of_exchange ON memory (exchange_id, rank);
CREATE INDEX memory_of_chunk ON memory (chunk_id);

-- Which recall (settings, writer, judge, passages) was completed for an exchange, whatever it found.
CREATE TABLE recalled (
    exchange_id INTEGER PRIMARY KEY REFERENCES exchange (id) ON DELETE CASCADE,
    key         TEXT NOT NULL
) STRICT;

CREATE TABLE judgement (
    memory_id INTEGER NOT NULL REFERENCES memory (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL CHECK (kind IN ('question', 'answer')),
    judge     TEXT NOT NULL,
    value     REAL NOT NULL,                    -- bits per token saved by the memory
    PRIMARY KEY (memory_id, kind, judge)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           TEXT NOT NULL,
    batch        TEXT NOT NULL,                 -- decisions that undo as one
    card_kind    TEXT NOT NULL CHECK (card_kind IN ('memory', 'pair', 'proposal', '')),
    card_uid     TEXT NOT NULL,
    verb         TEXT NOT NULL CHECK (verb IN ('accept', 'reject', 'edit', 'defer', 'flag', 'undo', 'redo')),
    reason       TEXT NOT NULL,
    text         TEXT NOT NULL,                 -- the words after an edit
    actor_kind   TEXT NOT NULL CHECK (actor_kind IN ('person', 'rule', 'import')),
    actor        TEXT NOT NULL,
    target_batch TEXT NOT NULL                  -- what an undo or redo is about
) STRICT;
CREATE INDEX decision_of_card ON decision (card_kind, card_uid);
CREATE TRIGGER decision_is_append_only_update BEFORE UPDATE ON decision
BEGIN SELECT raise(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decision_is_append_only_delete BEFORE DELETE ON decision
BEGIN SELECT raise(ABORT, 'decisions are append-only'); END;

-- The fold of the decisions, kept for speed; doctor can recompute it.
CREATE TABLE card_state (
    card_kind   TEXT NOT NULL,
    card_uid    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('accepted', 'rejected', 'deferred', 'flagged')),
    text        TEXT NOT NULL,
    decision_id INTEGER NOT NULL REFERENCES decision (id),
    PRIMARY KEY (card_kind, card_uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset (
    id         INTEGER PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    settings   TEXT NOT NULL,                   -- JSON
    decision   INTEGER NOT NULL,                -- the last decision it knows
    created_at TEXT NOT NULL,
    built_at   TEXT NOT NULL                    -- when the same content was last built
) STRICT;

CREATE TABLE example (
    id              INTEGER PRIMARY KEY,
    dataset_id      INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    split           TEXT NOT NULL CHECK (split IN ('train', 'validation', 'heldout')),
    conversation_uid TEXT NOT NULL,
    messages        TEXT NOT NULL,              -- JSON array of {role, content, trained}
    tokens          INTEGER NOT NULL,
    trained_tokens  INTEGER NOT NULL,
    UNIQUE (dataset_id, position)
) STRICT;

CREATE TABLE example_part (
    example_id   INTEGER NOT NULL REFERENCES example (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    exchange_uid TEXT NOT NULL,
    memory_uids  TEXT NOT NULL,                 -- JSON array, in the order of the prompt
    recall       TEXT NOT NULL CHECK (recall IN ('kept', 'none', 'wrong')),
    PRIMARY KEY (example_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE adapter (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    dataset_id INTEGER REFERENCES dataset (id),
    run_id     TEXT NOT NULL UNIQUE,
    base       TEXT NOT NULL,
    revision   TEXT NOT NULL,
    memories   INTEGER NOT NULL,                -- trained with memories in its prompts
    path       TEXT NOT NULL,                   -- relative to the workspace
    hash       TEXT NOT NULL,
    settings   TEXT NOT NULL,                   -- JSON
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE active_adapter (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    adapter_id INTEGER NOT NULL REFERENCES adapter (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE scorecard (
    id         INTEGER PRIMARY KEY,
    adapter_id INTEGER REFERENCES adapter (id),
    dataset_id INTEGER REFERENCES dataset (id),
    result     TEXT NOT NULL,                   -- JSON
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    adapter_id INTEGER REFERENCES adapter (id),
    as_of      TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    speaker    TEXT NOT NULL,
    text       TEXT NOT NULL,
    prompt     TEXT NOT NULL,
    settings   TEXT NOT NULL,                   -- JSON: seed, temperature, engine
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE message_memory (
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    chunk_id   INTEGER REFERENCES chunk (id) ON DELETE SET NULL,
    text       TEXT NOT NULL,                   -- as the prompt showed it
    PRIMARY KEY (message_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    sentence   TEXT NOT NULL,
    chunk_id   INTEGER REFERENCES chunk (id) ON DELETE SET NULL,
    score      REAL NOT NULL,
    PRIMARY KEY (message_id, position)
) STRICT, WITHOUT ROWID;

-- Model answers by the content that was asked: a finished call is never repeated.
CREATE TABLE call_cache (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
