"""Conversations that stand on the two sides of a merge in two forms, for one side has corrected them since.

Without a native id a correction makes another conversation, so that each form is unknown to the other side. Of a source
that both sides imported, the form of the later import stands; what was set aside or recalled under the other one is
handed on to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.corpus.holdout import pass_on
from core.corpus.successors import ALIKE, hand_on
from core.store.conversations import ConversationRow, conversations_of_source, count_sources_of
from core.store.database import Database
from core.store.datasets import hand_on_samples
from core.store.merging.corpus import Named
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
            found += [
                Forms(str(source_uid), old, new, bool(theirs_is_older))
                for old, new in _alike(olds, news)
            ]  # fmt: skip
    return found


def older_of_theirs(forms: Iterable[Forms]) -> frozenset[Named]:
    """What is not to be brought."""
    return frozenset((each.source_uid, each.older) for each in forms if each.older_is_theirs)


def hand_on_to_newer(database: Database, forms: Iterable[Forms]) -> None:
    """Once the newer forms are here: they are set aside as the older ones were, have what was recalled for them, and
    stand alone. The caller holds the transaction."""
    changed: dict[str, dict[str, ConversationRow]] = {}
    for each in forms:
        source = find_source(database, each.source_uid)
        if source is None or not _stored(database, source.id, each.newer):
            continue
        if each.older_is_theirs:
            pass_on(database, each.older, each.newer)
            continue
        if source.uid not in changed:
            changed[source.uid] = {row.uid: row for row in conversations_of_source(database, source.id)}
        rows = changed[source.uid]
        hand_on(database, [(rows[each.older], rows[each.newer])])
        database.execute("DELETE FROM conversation WHERE id = ?", (rows[each.older].id,))
    for uid in sorted(changed):
        source = find_source(database, uid)
        assert source is not None
        finish_source(database, source.id, content_of(database, source.id), source.use)


def hand_samples_on_to_newer(database: Database, forms: Iterable[Forms]) -> None:
    """Once datasets are here: what was frozen of an older form is of the newer one. The caller holds the
    transaction."""
    for each in forms:
        source = find_source(database, each.source_uid)
        here = source is not None and _stored(database, source.id, each.newer)
        if here and not count_sources_of(database, each.older):
            hand_on_samples(database, each.older, each.newer)


def _stored(database: Database, source_id: int, uid: str) -> bool:
    return (
        database.value("SELECT 1 FROM main.conversation WHERE source_id = ? AND uid = ?", (source_id, uid)) is not None
    )


def _alike(olds: list[tuple[str, str]], news: list[tuple[str, str]]) -> list[tuple[str, str]]:
    from core.corpus.likeness import closest

    found = closest((text for _, text in olds), lambda: (text for _, text in news))
    return [
        (old, news[most.place][0])
        for (old, _), most in zip(olds, found, strict=True)
        if most.common and most.common >= ALIKE * most.runs
    ]
