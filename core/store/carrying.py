"""What was recalled from a text stays with its words when the text is corrected or cut anew, and with it what a person
decided on it.

A memory belongs to a passage, and anchors in it by a quote. Wherever that quote still stands, so does the memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from core.store.chunks import (
    ChunkRow,
    chunk_rows_of,
    document_chunk_uid,
    exchange_chunk_uid,
    insert_chunk,
    remove_chunks,
)
from core.store.database import Database
from core.store.identity import content_uid

REACH = 1 << 18
"""Characters from where words are expected to where they are looked for: a long text is not read once per passage."""

_Anchored = tuple[int, str, int]
"""A memory's id, its quote, and where the quote begins in the passage."""


def carry(db: Database, owner: str, owner_id: int, title: str, text: str, last_day: int) -> None:
    """Before a document or exchange becomes this text: its passages are brought where their words stand in it.

    A passage whose words are not there as they were shrinks to the quotes of its memories that are; without one it
    goes. What was recalled for an exchange from a passage that changed is to be recalled again. The caller holds the
    transaction, and has given the passages their owner.
    """
    retitled = owner == "document_id" and db.value("SELECT title FROM document WHERE id = ?", (owner_id,)) != title
    shift = 0  # Of the passage before: what stands above has moved what stands below.
    for chunk in chunk_rows_of(db, owner, owner_id):
        start = _nearest(text, chunk.text, chunk.start + shift)
        if start < 0:
            db.execute(
                "DELETE FROM recalled WHERE exchange_id IN (SELECT exchange_id FROM memory WHERE chunk_id = ?)",
                (chunk.id,),
            )
            _shrink(db, chunk, shift, owner, owner_id, title, text, last_day)
            db.execute("DELETE FROM chunk WHERE id = ?", (chunk.id,))
            continue
        shift = start - chunk.start
        uid = _uid(db, owner, owner_id, start, chunk.text)
        twin = db.value("SELECT id FROM chunk WHERE uid = ? AND id <> ?", (uid, chunk.id))
        if twin is not None:  # Two passages of the same words now stand at one place.
            db.execute("UPDATE memory SET chunk_id = ? WHERE chunk_id = ?", (twin, chunk.id))
            db.execute("DELETE FROM chunk WHERE id = ?", (chunk.id,))
            continue
        if (uid, last_day) != (chunk.uid, chunk.last_day):
            db.execute(
                "UPDATE chunk SET uid = ?, start = ?, stop = ?, last_day = ? WHERE id = ?",
                (uid, start, start + len(chunk.text), last_day, chunk.id),
            )
        if retitled:  # The title is found with the words, and is embedded with them.
            db.execute(
                "INSERT OR REPLACE INTO chunk_text (rowid, title, text) VALUES (?, ?, ?)", (chunk.id, title, chunk.text)
            )
        if retitled or last_day != chunk.last_day:  # The index holds the date with the vector.
            db.execute("DELETE FROM vector WHERE chunk_id = ?", (chunk.id,))


def sync_chunks(db: Database, owner: str, owner_id: int, title: str, chunks: Sequence[ChunkRow]) -> tuple[int, int]:
    """Make the chunks of one document or exchange these. Returns how many were added and removed.

    ``owner`` is ``document_id`` or ``exchange_id``. The caller holds the transaction.
    """
    known = {row.uid: row for row in chunk_rows_of(db, owner, owner_id)}
    wanted = {chunk.uid: chunk for chunk in chunks}
    gone = [row for uid, row in known.items() if uid not in wanted]
    fresh = [replace(chunk, id=insert_chunk(db, chunk, title)) for uid, chunk in wanted.items() if uid not in known]
    _hand_to_new_cut(db, gone, [*fresh, *(row for uid, row in known.items() if uid in wanted)])
    remove_chunks(db, [row.id for row in gone])
    return len(fresh), len(gone)


def _hand_to_new_cut(db: Database, gone: Collection[ChunkRow], cut: Collection[ChunkRow]) -> None:
    """Before passages go because their text is cut otherwise: each of their memories moves to a passage of the new cut
    that holds its quote. Both are of one text. The caller holds the transaction."""
    for old in gone:
        for memory_id, quote, begins in _anchored(db, old.id):
            start, stop = old.start + begins, old.start + begins + len(quote)
            heir = next((new for new in cut if quote and new.start <= start and stop <= new.stop), None)
            if heir is not None:
                _move(db, memory_id, heir, start, quote)


def _shrink(
    db: Database, old: ChunkRow, shift: int, owner: str, owner_id: int, title: str, text: str, last_day: int
) -> None:
    """A passage of what is left of another: from the first to the last quote of its memories, no longer than it was."""
    found = [
        (start, quote, memory_id)
        for memory_id, quote, begins in _anchored(db, old.id)
        if quote and (start := _nearest(text, quote, old.start + shift + begins)) >= 0
    ]
    if not found:
        return
    first = min(start for start, _, _ in found)
    # Quotes that are far apart now are no longer of one passage.
    near = [each for each in found if each[0] + len(each[1]) - first <= len(old.text)] or [min(found)]
    last = max(start + len(quote) for start, quote, _ in near)
    words = text[first:last]
    # By no uid of a cut: it is cut again with the rest of the text.
    uid = content_uid("left of a chunk", _uid(db, owner, owner_id, first, words))
    chunk = ChunkRow(
        0, uid, old.document_id, old.exchange_id, old.position, first, last, words, old.tokens, last_day,
    )  # fmt: skip
    known = db.value("SELECT id FROM chunk WHERE uid = ?", (uid,))
    heir = replace(chunk, id=int(known) if known is not None else insert_chunk(db, chunk, title))
    for start, quote, memory_id in near:
        _move(db, memory_id, heir, start, quote)


def _anchored(db: Database, chunk_id: int) -> list[_Anchored]:
    rows = db.rows("SELECT id, quote, quote_start FROM memory WHERE chunk_id = ? ORDER BY id", (chunk_id,))
    return [(int(row[0]), str(row[1]), int(row[2])) for row in rows]


def _move(db: Database, memory_id: int, heir: ChunkRow, start: int, quote: str) -> None:
    begins = start - heir.start
    db.execute(
        "UPDATE memory SET chunk_id = ?, quote_start = ?, quote_stop = ? WHERE id = ?",
        (heir.id, begins, begins + len(quote), memory_id),
    )


def _nearest(text: str, words: str, place: int) -> int:
    """Where words stand in a text, the nearest to a place and no further than ``REACH``; -1 where they do not."""
    place = max(0, place)
    if text.startswith(words, place):
        return place
    after = text.find(words, place, place + REACH + len(words))
    # Only as far back as it is forward: what is further is not the nearest.
    reach = REACH if after < 0 else after - place
    before = text.rfind(words, max(0, place - reach), place + len(words))
    return after if before < 0 else before


def _uid(db: Database, owner: str, owner_id: int, start: int, words: str) -> str:
    if owner == "document_id":
        source_uid, uid = db.rows(
            "SELECT source.uid, document.uid FROM document JOIN source ON source.id = source_id WHERE document.id = ?",
            (owner_id,),
        )[0]
        return document_chunk_uid(str(source_uid), str(uid), start, words)
    return exchange_chunk_uid(
        str(db.value("SELECT uid FROM exchange WHERE id = ?", (owner_id,))), start, start + len(words)
    )
