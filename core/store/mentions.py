"""What passages name, and which passages a name, a place in a document or a conversation leads to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from core.store.database import Database
from core.store.sight import Sight

_SEEN = "{day} < ? AND {day} >= ?"
_NO_DAY_IS_LATER = 2**31


def _days(sight: Sight) -> tuple[int, int]:
    """For ``_SEEN``: bounds and not conditions, so that the table's own order is read no further than they reach."""
    return (_NO_DAY_IS_LATER if sight.before is None else sight.before, -1 if sight.include_undated else 0)


def put_mentions(db: Database, mentions: Mapping[int, Iterable[str]]) -> None:
    """Make the names of each chunk these. The caller holds the transaction."""
    for chunk_id, names in mentions.items():
        db.execute("DELETE FROM mention WHERE chunk_id = ?", (chunk_id,))
        db.execute_many(
            "INSERT INTO mention (name, last_day, chunk_id) SELECT ?, last_day, id FROM chunk WHERE id = ?",
            ((name, chunk_id) for name in sorted(set(names))),
        )


def add_mention(db: Database, name: str, chunk_ids: Iterable[int]) -> None:
    """Let chunks name this too. The caller holds the transaction."""
    db.execute_many(
        "INSERT INTO mention (name, last_day, chunk_id) SELECT ?, last_day, id FROM chunk WHERE id = ?"
        " ON CONFLICT DO NOTHING",
        ((name, chunk_id) for chunk_id in chunk_ids),
    )


def names_of(db: Database, chunk_id: int) -> list[str]:
    return [str(row[0]) for row in db.rows("SELECT name FROM mention WHERE chunk_id = ? ORDER BY name", (chunk_id,))]


def passages_sharing(
    db: Database, chunk_ids: Sequence[int], sight: Sight, most: int
) -> dict[int, list[tuple[str, list[int]]]]:
    """For each chunk its names, in order, and the chunks in sight that have the name too, by day and id; at most
    ``most`` of each, itself among them where it is in sight."""
    rows = db.rows(
        "SELECT own.chunk_id, own.name, (SELECT group_concat(id) FROM"
        " (SELECT mention.chunk_id AS id FROM mention"
        " JOIN chunk ON chunk.id = mention.chunk_id LEFT JOIN exchange ON exchange.id = exchange_id"
        f" WHERE name = own.name AND {_SEEN.format(day='mention.last_day')}"
        " AND coalesce(exchange.conversation_id, 0) <> ? ORDER BY mention.last_day, mention.chunk_id LIMIT ?))"
        " FROM mention AS own WHERE own.chunk_id IN (SELECT value FROM json_each(?)) ORDER BY own.chunk_id, own.name",
        (*_days(sight), sight.not_conversation or -1, most, json.dumps([*chunk_ids])),
    )
    found: dict[int, list[tuple[str, list[int]]]] = {chunk_id: [] for chunk_id in chunk_ids}
    for chunk_id, name, others in rows:
        found[int(chunk_id)].append((str(name), [int(each) for each in str(others or "").split(",") if each]))
    return found


def passages_beside(db: Database, chunk_ids: Sequence[int], sight: Sight) -> dict[int, list[int]]:
    """For each chunk those in sight that stand next to it: in its document, in its answer, or in the answers around
    it."""
    rows = db.rows(
        "WITH own AS (SELECT chunk.* FROM json_each(?) JOIN chunk ON chunk.id = value)"
        " SELECT own.id, other.id FROM own JOIN chunk AS other ON other.document_id = own.document_id"
        " AND abs(other.position - own.position) = 1"
        f" WHERE {_SEEN.format(day='other.last_day')}"
        " UNION SELECT own.id, other.id FROM own JOIN exchange AS asked ON asked.id = own.exchange_id"
        " JOIN exchange AS near ON near.conversation_id = asked.conversation_id AND near.segment = asked.segment"
        " AND abs(near.position - asked.position) <= 1 JOIN chunk AS other ON other.exchange_id = near.id"
        " WHERE other.id <> own.id AND near.conversation_id <> ?"
        f" AND {_SEEN.format(day='other.last_day')}"
        " ORDER BY 1, 2",
        (json.dumps([*chunk_ids]), *_days(sight), sight.not_conversation or -1, *_days(sight)),
    )
    found: dict[int, list[int]] = {chunk_id: [] for chunk_id in chunk_ids}
    for chunk_id, other in rows:
        found[int(chunk_id)].append(int(other))
    return found


def passages_with_words(db: Database, phrase: Sequence[str]) -> list[tuple[int, str]]:
    """(chunk id, text) of the passages whose text has these words in a row, as the lexical index reads words."""
    quoted = " ".join(word.replace('"', "") for word in phrase)
    if not quoted.strip():
        return []
    rows = db.rows(
        "SELECT chunk.id, chunk.text FROM chunk_text JOIN chunk ON chunk.id = chunk_text.rowid"
        " WHERE chunk_text MATCH ? ORDER BY chunk.id",
        (f'text: "{quoted}"',),
    )
    return [(int(row[0]), str(row[1])) for row in rows]
