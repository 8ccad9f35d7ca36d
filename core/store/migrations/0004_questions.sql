-- What one would ask to be told a passage, written by a model; the kept ones are searched beside the passages. And what
-- a passage names, so that passages which share a rare name are neighbors.

CREATE TABLE question (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    uid      TEXT NOT NULL UNIQUE,
    chunk_id INTEGER NOT NULL REFERENCES chunk (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text     TEXT NOT NULL,
    writer   TEXT NOT NULL,
    judge    TEXT NOT NULL,
    value    REAL NOT NULL,                     -- the judge's probability of yes, or a cosine where no model judges
    kept     INTEGER NOT NULL CHECK (kept IN (0, 1))
) STRICT;
CREATE INDEX question_of_chunk ON question (chunk_id, position);

-- With which writer, judge and prompts a passage was last asked about, whatever came of it.
CREATE TABLE questioned (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunk (id) ON DELETE CASCADE,
    key      TEXT NOT NULL
) STRICT;

CREATE TABLE question_vector (
    question_id INTEGER NOT NULL,
    model       TEXT NOT NULL,
    revision    TEXT NOT NULL,
    dimension   INTEGER NOT NULL,
    blob        BLOB NOT NULL,
    PRIMARY KEY (question_id, model, revision)
) WITHOUT ROWID;

CREATE TRIGGER question_takes_its_vectors AFTER DELETE ON question
BEGIN
    DELETE FROM question_vector WHERE question_id = old.id;
END;

-- Names, tags, titles and threads of a passage, folded. The day stands in the key, so that how rare a name was on a day
-- is read in the order of the table.
CREATE TABLE mention (
    name     TEXT NOT NULL,
    last_day INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL REFERENCES chunk (id) ON DELETE CASCADE,
    PRIMARY KEY (name, last_day, chunk_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mention_of_chunk ON mention (chunk_id);

-- An index keeps the date beside each vector: with another date it is made again, by the next embedding.
CREATE TRIGGER chunk_dates_its_questions_and_mentions AFTER UPDATE OF last_day ON chunk
WHEN old.last_day <> new.last_day
BEGIN
    DELETE FROM question_vector WHERE question_id IN (SELECT id FROM question WHERE chunk_id = new.id);
    UPDATE mention SET last_day = new.last_day WHERE chunk_id = new.id;
END;
