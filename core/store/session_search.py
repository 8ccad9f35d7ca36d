"""Finding what was said in sessions by its words: each is the beginning of a word, whatever its case and its accents.

The index reads words between spaces. What it cannot read so (a sign, a script without spaces) is looked for as it
stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.store.database import Database

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese are written without spaces between words."""
_AROUND = 48
"""Characters of an excerpt before and after a word that is looked for as it stands."""
_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Where in a session a search was met best: one message, and the part of it around the words."""

    message_id: int
    role: str
    speaker: str
    text: str


def said_somewhere(words: Sequence[str]) -> tuple[str, list[str]]:
    """A condition on ``session`` that holds where every word is said in some message, and its parameters."""
    conditions = []
    parameters = []
    for word in words:
        if _is_indexed(word):
            conditions.append(
                "session.id IN (SELECT session_id FROM message_text JOIN message ON message.id = message_text.rowid"
                " WHERE message_text MATCH ?)"
            )
            parameters.append(_phrase(word))
        else:
            conditions.append(
                "EXISTS (SELECT 1 FROM message WHERE session_id = session.id AND text LIKE ? ESCAPE '\\')"
            )
            parameters.append(_pattern(word))
    return " AND ".join(conditions) or "1", parameters


def excerpts(db: Database, session_ids: Sequence[int], words: Sequence[str]) -> dict[int, Excerpt]:
    """Session id → the message in which most of the words are said, for those sessions in which any is."""
    match = " OR ".join(_phrase(word) for word in words if _is_indexed(word))
    best: dict[int, Excerpt] = {}
    if match:
        ranked: dict[int, int] = {}
        for message_id, session_id in db.rows(
            "SELECT message.id, session_id FROM message_text JOIN message ON message.id = message_text.rowid"
            " WHERE message_text MATCH ? ORDER BY bm25(message_text), message.id",
            (match,),
        ):
            ranked.setdefault(int(session_id), int(message_id))
        wanted = [ranked[session_id] for session_id in session_ids if session_id in ranked]
        for session_id, *found in db.rows(
            f"SELECT session_id, message.id, role, speaker, snippet(message_text, 0, '', '', '…', {_TOKENS})"
            " FROM message_text JOIN message ON message.id = message_text.rowid"
            " WHERE message_text MATCH ? AND message_text.rowid IN (SELECT value FROM json_each(?))",
            (match, json.dumps(wanted)),
        ):
            best[session_id] = Excerpt(*found)
    for word in words:
        left = [session_id for session_id in session_ids if session_id not in best]
        if left and not _is_indexed(word):
            best |= _as_it_stands(db, left, word)
    return best


def _as_it_stands(db: Database, session_ids: Sequence[int], word: str) -> dict[int, Excerpt]:
    found: dict[int, Excerpt] = {}
    for session_id, message_id, role, speaker, text, place in db.rows(
        "SELECT session_id, id, role, speaker, text, instr(lower(text), lower(?)) FROM message WHERE text LIKE ?"
        " ESCAPE '\\' AND session_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (word, _pattern(word), json.dumps(list(session_ids))),
    ):
        start, stop = max(0, place - 1 - _AROUND), place - 1 + len(word) + _AROUND
        cut = ("…" if start else "") + text[start:stop] + ("…" if stop < len(text) else "")
        found.setdefault(session_id, Excerpt(message_id, role, speaker, cut))
    return found


def _is_indexed(word: str) -> bool:
    return any(character.isalnum() for character in word) and not _UNSPACED.search(word)


def _phrase(word: str) -> str:
    """FTS5's expression for words that begin so; quoted, nothing in it is an operator."""
    return '"' + word.replace('"', '""') + '"*'


def _pattern(word: str) -> str:
    return "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
