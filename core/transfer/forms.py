"""Conversations that stand on the two sides of a merge in two forms, for one side has corrected them since.

Without a native id a correction makes another conversation, so that each form is unknown to the other side. Of a source
that both sides imported, the form of the later import stands; what was set aside, recalled, decided or frozen under the
other one is handed on to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from core.corpus.successors import ALIKE, hand_on
from core.store.conversations import (
    ConversationRow,
    conversation_id,
    exchanges_of,
    get_conversation,
    put_conversation,
    sync_exchanges,
    turns_of,
)
from core.store.database import Database
from core.store.sources import content_of, find_source, finish_source

_UNKNOWN = (
    "SELECT here.uid, (SELECT coalesce(group_concat(text, ' ' ORDER BY position), '') FROM {side}.turn"
    " WHERE conversation_id = here.id) FROM {side}.conversation AS here JOIN {side}.source AS from_here"
    " ON from_here.id = here.source_id WHERE from_here.uid = ? AND NOT here.chat AND here.uid NOT IN (SELECT there.uid"
    " FROM {far}.conversation AS there JOIN {far}.source AS from_there ON from_there.id = there.source_id"
    " WHERE from_there.uid = from_here.uid) ORDER BY here.id"
)


@dataclass(frozen=True, slots=True)
class Forms:
    """One conversation in two forms."""

    source_uid: str
    older: str
    newer: str
    """Their uids."""
    older_is_theirs: bool


def two_forms(database: Database) -> list[Forms]:
    """Those of the attached database and of this one. It only reads."""
    found: list[Forms] = []
    sources = database.rows(
        "SELECT own.uid, theirs.imported_at < own.imported_at FROM main.source AS own JOIN other.source AS theirs"
        " ON theirs.uid = own.uid WHERE theirs.imported_at <> own.imported_at AND own.content_hash <> ''"
        " AND theirs.content_hash <> '' ORDER BY own.uid"
    )
    for source_uid, theirs_is_older in sources:
        older, newer = ("other", "main") if theirs_is_older else ("main", "other")
        olds = database.rows(_UNKNOWN.format(side=older, far=newer), (source_uid,))
        news = database.rows(_UNKNOWN.format(side=newer, far=older), (source_uid,)) if olds else []
        if news:
            found += [Forms(str(source_uid), old, new, bool(theirs_is_older)) for old, new in _alike(olds, news)]
    return found


def correct_theirs(own: Database, theirs: Database, forms: Iterable[Forms]) -> None:
    """Give a copy of the other side's database the newer forms that this side has, as an import there would: what it
    has set aside, recalled, decided and frozen under the older ones comes with them."""
    with theirs.write():
        for each in forms:
            here, there = find_source(own, each.source_uid), find_source(theirs, each.source_uid)
            if not each.older_is_theirs or here is None or there is None:
                continue
            row = _named(own, here.id, each.newer)
            if row is not None:
                put_conversation(theirs, replace(row, source_id=there.id), turns_of(own, row.id))
                new = conversation_id(theirs, there.id, each.newer)
                sync_exchanges(theirs, new, [replace(told, conversation_id=new) for told in exchanges_of(own, row.id)])
                _hand_on(theirs, there.id, each)


def correct_own(database: Database, forms: Iterable[Forms]) -> None:
    """Once the other side's newer forms are here: what is here of the older ones is of them. The caller holds the
    transaction."""
    changed: set[str] = set()
    for each in forms:
        source = find_source(database, each.source_uid)
        if not each.older_is_theirs and source is not None and _hand_on(database, source.id, each):
            changed.add(source.uid)
    for uid in sorted(changed):
        source = find_source(database, uid)
        assert source is not None
        finish_source(database, source.id, content_of(database, source.id), source.use)


def _hand_on(database: Database, source_id: int, forms: Forms) -> bool:
    """Hand on, and remove the older form. Returns False where one of them is not there."""
    older, newer = _named(database, source_id, forms.older), _named(database, source_id, forms.newer)
    if older is None or newer is None:
        return False
    hand_on(database, [(older, newer)])
    database.execute("DELETE FROM conversation WHERE id = ?", (older.id,))
    return True


def _named(database: Database, source_id: int, uid: str) -> ConversationRow | None:
    known = database.value("SELECT id FROM main.conversation WHERE source_id = ? AND uid = ?", (source_id, uid))
    return None if known is None else get_conversation(database, int(known))


def _alike(olds: list[tuple[str, str]], news: list[tuple[str, str]]) -> list[tuple[str, str]]:
    from core.corpus.likeness import closest

    found = closest((text for _, text in olds), lambda: (text for _, text in news))
    return [
        (old, news[most.place][0])
        for (old, _), most in zip(olds, found, strict=True)
        if most.common and most.common >= ALIKE * most.runs
    ]
