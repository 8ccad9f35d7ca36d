-- What was said in sessions, by its words. A removed session leaves no word behind: secure-delete takes them out of the
-- index at once, and not when its segments happen to be merged.

CREATE VIRTUAL TABLE message_text USING fts5 (
    text, content = 'message', content_rowid = 'id', prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
INSERT INTO message_text (message_text) VALUES ('rebuild');

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
