-- A sentence that claims nothing (a greeting, a question) is no unsupported one.
ALTER TABLE receipt ADD COLUMN kind TEXT NOT NULL DEFAULT 'unsupported'
    CHECK (kind IN ('supported', 'style', 'unsupported'));
UPDATE receipt SET kind = 'supported' WHERE chunk_id IS NOT NULL;
