-- Preference pairs, proposals and ratings. Which answer of a pair is preferred is the fold of its decisions, like the
-- state of every card: accepted with the text 'left' or 'right', or rejected when both are bad.

CREATE TABLE pair (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        TEXT NOT NULL UNIQUE,
    question   TEXT NOT NULL,
    prompt     TEXT NOT NULL,                   -- as the model read it; '' when it is not known
    left_text  TEXT NOT NULL,
    right_text TEXT NOT NULL,
    origin     TEXT NOT NULL CHECK (origin IN ('correction', 'comparison', 'generated', 'import')),
    message_id INTEGER REFERENCES message (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL
) STRICT;

-- A suggested change of the corpus or an addition to the training data, which waits for review.
CREATE TABLE proposal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN ('cleaning', 'scene', 'prompt', 'statement')),
    about      TEXT NOT NULL,                   -- uid of what it would change, or ''
    title      TEXT NOT NULL,
    before     TEXT NOT NULL,
    after      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    score      REAL NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE message_rating (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    rating     INTEGER NOT NULL CHECK (rating IN (-1, 1)),
    rated_at   TEXT NOT NULL
) STRICT;

CREATE INDEX message_of_session ON message (session_id);
CREATE INDEX card_state_of_kind ON card_state (card_kind, state);
CREATE INDEX decision_of_batch ON decision (batch);
CREATE INDEX decision_about_batch ON decision (target_batch) WHERE target_batch <> '';
CREATE INDEX judgement_by_value ON judgement (kind, memory_id, value);
