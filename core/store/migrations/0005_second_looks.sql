-- What a person's review is held against: a blind sample, second looks at what was decided, and what was foretold.

-- Memories drawn at random for one person, who decides on them without the judges' figures.
CREATE TABLE blind_draw (
    id            INTEGER PRIMARY KEY,          -- in the order of the draw
    actor         TEXT NOT NULL,
    memory_uid    TEXT NOT NULL,
    newest_memory INTEGER NOT NULL,             -- the largest memory.id of that moment: later ones were not in the draw
    drawn_at      TEXT NOT NULL,
    UNIQUE (actor, memory_uid)
) STRICT;

-- What a person decided when a card came back to them. It never is the state of the card, so it stands apart from
-- decision; an undo or redo of it is a row of decision that names its batch, like every other.
CREATE TABLE second_look (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    after_decision INTEGER NOT NULL,            -- the last decision.id of that moment: where it stands in the log
    at             TEXT NOT NULL,
    batch          TEXT NOT NULL,
    card_uid       TEXT NOT NULL,
    verb           TEXT NOT NULL CHECK (verb IN ('accept', 'reject', 'edit', 'defer', 'flag')),
    reason         TEXT NOT NULL,
    text           TEXT NOT NULL,
    actor          TEXT NOT NULL,
    first_decision INTEGER NOT NULL REFERENCES decision (id)
) STRICT;
CREATE INDEX second_look_of_batch ON second_look (batch);
CREATE INDEX second_look_of_card ON second_look (card_uid);
CREATE TRIGGER second_look_is_append_only_update BEFORE UPDATE ON second_look
BEGIN SELECT raise(ABORT, 'second looks are append-only'); END;
CREATE TRIGGER second_look_is_append_only_delete BEFORE DELETE ON second_look
BEGIN SELECT raise(ABORT, 'second looks are append-only'); END;

-- What model and judge said of a memory before a person decided on it.
CREATE TABLE foretold (
    decision_id INTEGER PRIMARY KEY REFERENCES decision (id),
    chance      REAL,                           -- of acceptance, by the model learned from the same person
    bits        REAL                            -- the judge's question figure
) STRICT;

-- For each person the model that was learned last, and what it says of every memory. The three arrays hold one number
-- for each memory, the most uncertain first, so that a queue of a hundred thousand opens without sorting or joining.
CREATE TABLE learned (
    actor         TEXT PRIMARY KEY,
    at            TEXT NOT NULL,
    last_decision INTEGER NOT NULL,             -- the last decision.id it may have learned from
    decisions     INTEGER NOT NULL,             -- how many it learned from
    features      TEXT NOT NULL,                -- fingerprint of what the memories were described by
    report        TEXT NOT NULL,                -- JSON: strength, weights, Brier score, reliability
    memories      BLOB NOT NULL,                -- int32: memory.id
    exchanges     BLOB NOT NULL,                -- int32: memory.exchange_id
    chances       BLOB NOT NULL                 -- float32: of acceptance
) STRICT;
