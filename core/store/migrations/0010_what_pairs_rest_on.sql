-- What the prompt and the answers of a pair rest on, which must be known when the chat it was made in is gone: a JSON
-- array of the uids of documents and exchanges, NULL where nobody can tell.
ALTER TABLE pair ADD COLUMN owners TEXT;
UPDATE pair SET owners = '[]' WHERE origin = 'import';
UPDATE pair SET owners = (
    SELECT json_group_array(DISTINCT coalesce(document.uid, exchange.uid))
    FROM message AS judged JOIN message ON message.session_id = judged.session_id AND message.id <= judged.id
    JOIN message_memory ON message_memory.message_id = message.id JOIN chunk ON chunk.id = chunk_id
    LEFT JOIN document ON document.id = chunk.document_id LEFT JOIN exchange ON exchange.id = chunk.exchange_id
    WHERE judged.id = pair.message_id
) WHERE message_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM message AS judged JOIN message ON message.session_id = judged.session_id AND message.id <= judged.id
    JOIN message_memory ON message_memory.message_id = message.id
    WHERE judged.id = pair.message_id AND chunk_id IS NULL
);
