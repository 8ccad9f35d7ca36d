"""Stable identities: the same record of the same source has the same uid, however often it is imported.

A uid is made from what an owner rarely edits (a native id, a path in a vault, title and date and opening words),
so that a corrected text replaces its earlier self instead of standing beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from core.corpus.records import Issue, Record, Turn

_OPENING = 160
"""How many characters of a text take part in its identity."""


def uid_of(form: str, *parts: str) -> str:
    """The uid of a record of the format ``form``, told apart by ``parts``; 24 hexadecimal digits after the form."""
    joined = "\x1f".join(" ".join(part.split()) for part in parts)
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    return f"{form}:{digest[:24]}"


def opening_words(text: str) -> str:
    """The part of a text that takes part in its identity."""
    return " ".join(text[: _OPENING * 4].split())[:_OPENING]


def conversation_uid(form: str, title: str, date: str, turns: Iterable[Turn]) -> str:
    """The uid of a conversation without a native id: its title, date, speakers and first words."""
    said = list(turns)
    speakers = sorted({turn.speaker for turn in said})
    first = opening_words(said[0].text) if said else ""
    return uid_of(form, title, date, *speakers, first)


def unique(records: Iterable[Record]) -> Iterator[Record]:
    """Pass ``records`` on, turning one whose uid was seen before into an ``Issue``."""
    seen: set[str] = set()
    for record in records:
        if isinstance(record, Issue):
            yield record
        elif record.uid in seen:
            yield Issue(record.title or record.uid, "repeats an earlier entry, skipped", refused=False)
        else:
            seen.add(record.uid)
            yield record
