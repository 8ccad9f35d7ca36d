"""Which conversation of a source is a corrected form of one that it no longer holds.

Without a native id a conversation's uid is made from its title, date and opening words, so that correcting any of them
makes another conversation. What was set aside under the old uid, what was recalled for it, and what was trained on it
belongs to the new one.
"""

from __future__ import annotations

from collections.abc import Collection

from core.corpus.holdout import pass_on
from core.store.chunks import remove_chunks_of_conversation
from core.store.conversations import (
    ConversationRow,
    conversations_of_source,
    count_sources_of,
    exchanges_of,
    hand_on_memories,
    split_of,
    splits,
    turns_of,
)
from core.store.database import Database
from core.store.datasets import hand_on_samples

ALIKE = 0.5
"""The least share of its runs of three words that a conversation has in common with its corrected form."""

Heirs = list[tuple[ConversationRow, ConversationRow]]
"""Each that is gone with the one that is its corrected form."""


def heirs_of(database: Database, source_id: int, uids: Collection[str], added: Collection[str]) -> Heirs:
    """The corrected forms of what a source no longer holds, while that is still stored.

    ``uids`` are what the source holds now, ``added`` those of them that this import brought. It only reads, which may
    take a while: no transaction need be held for it.
    """
    rows = conversations_of_source(database, source_id)
    gone = [row for row in rows if row.uid not in uids]
    if not gone:
        return []
    known = splits(database)
    # An import that was cut short may have brought some of them before, and a stage placed them since.
    free = [row for row in rows if row.uid in uids and known.get(row.uid, ("train", "rule")) == ("train", "rule")]
    fresh = {row.uid for row in free if row.uid in added or row.uid not in known}
    return _paired(database, gone, free, fresh)


def hand_on(database: Database, heirs: Heirs) -> None:
    """Hand the splits, memories and samples of what is about to be removed on to its heirs. The caller holds the
    transaction."""
    for old, new in heirs:
        pass_on(database, old.uid, new.uid)
        hand_on_memories(database, exchanges_of(database, old.id), exchanges_of(database, new.id))
        if (split_of(database, new.uid) or ("train", ""))[0] != "train":
            remove_chunks_of_conversation(database, new.uid)
        if count_sources_of(database, old.uid) <= 1:
            hand_on_samples(database, old.uid, new.uid)


def _paired(
    database: Database, gone: list[ConversationRow], free: list[ConversationRow], fresh: Collection[str]
) -> Heirs:
    """Each that is gone with the one most alike; then, where one of each is left, with the only new one.

    Two can have one heir: an import that was cut short leaves a form that was corrected again.
    """
    from core.corpus.likeness import closest

    found = closest((_text(database, row) for row in gone), lambda: (_text(database, row) for row in free))
    pairs: Heirs = []
    left: list[ConversationRow] = []
    for old, most in zip(gone, found, strict=True):
        if most.common and most.common >= ALIKE * most.runs:
            pairs.append((old, free[most.place]))
        else:
            left.append(old)
    taken = {new.id for _, new in pairs}
    unclaimed = [row for row in free if row.uid in fresh and row.id not in taken]
    if len(left) == len(unclaimed) == 1:
        pairs.append((left[0], unclaimed[0]))
    return pairs


def _text(database: Database, row: ConversationRow) -> str:
    return " ".join(turn.text for turn in turns_of(database, row.id))
