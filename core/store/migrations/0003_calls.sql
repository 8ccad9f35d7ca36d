-- Calls to text models: what left and what came of it, where words may go, what waits to be asked again.

-- The ledger. A row is committed before its call leaves; it is closed with the outcome. A row without one is of a call
-- that is under way, or of a process that was killed: whether it arrived is unknown.
CREATE TABLE model_call (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at    TEXT NOT NULL,
    ended_at      TEXT NOT NULL,                -- '' while it is open
    run           TEXT NOT NULL,
    role          TEXT NOT NULL,
    engine        TEXT NOT NULL,
    host          TEXT NOT NULL,                -- '' for a model on this machine
    model         TEXT NOT NULL,
    purpose       TEXT NOT NULL,
    bytes         INTEGER NOT NULL,             -- of the messages
    about         TEXT NOT NULL,                -- JSON array: uids of what the words are taken from
    key           TEXT NOT NULL,                -- of the answer in call_cache
    outcome       TEXT NOT NULL,                -- '' while it is open, 'answered', or why not
    prompt_tokens INTEGER NOT NULL,
    answer_tokens INTEGER NOT NULL,
    cost          REAL NOT NULL
) STRICT;
CREATE INDEX model_call_of_run ON model_call (run, role);

-- Hosts beside this machine that may receive text, by a person's word.
CREATE TABLE consent (
    host       TEXT PRIMARY KEY,
    granted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Items whose calls failed, until a later run gets their answer.
CREATE TABLE parked (
    kind     TEXT NOT NULL,
    uid      TEXT NOT NULL,
    reason   TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    at       TEXT NOT NULL,
    PRIMARY KEY (kind, uid)
) STRICT, WITHOUT ROWID;

-- Asks that were handed to a server's batch interface, until their answers are fetched.
CREATE TABLE call_batch (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    identity   TEXT NOT NULL,                   -- of the engine
    name       TEXT NOT NULL UNIQUE,            -- ours, which the server keeps with it
    remote     TEXT NOT NULL,                   -- the server's, '' before it is known
    asks       TEXT NOT NULL,                   -- JSON array: hashes of what is asked
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX call_batch_of_engine ON call_batch (identity);

-- Whether words may be sent is looked up by uid for every call.
CREATE INDEX document_by_uid ON document (uid);
CREATE INDEX conversation_by_uid ON conversation (uid);
