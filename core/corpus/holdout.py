"""Which conversations are set aside for measuring: by whole conversation and by time.

The latest quarter of the dated conversations is held out and the latest of the rest validates. What was once held out
stays so; while nothing is, the rule is tried again. A person's choice outranks the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UsageError
from core.store.chunks import remove_chunks_of_conversation
from core.store.conversations import (
    ConversationRow,
    assign_split,
    count_sources_of,
    exchanges_of,
    forget_split,
    list_conversations,
    split_of,
    splits,
    trainable_conversations,
    weight_of_split,
)
from core.store.database import Database
from core.store.identity import row_number
from core.workspace import Workspace

SMALLEST_FOR_HELDOUT = 4
"""With fewer dated conversations than this nothing is held out: there would be too little to learn from."""


def assigned_splits(workspace: Workspace) -> dict[str, str]:
    """Conversation uid → split as it stands, without assigning anything; what has none yet is left out."""
    return {uid: split for uid, (split, _) in splits(workspace.database).items()}


def assign_splits(workspace: Workspace) -> dict[str, str]:
    """Give every trainable conversation a split, and return uid → split.

    Only stages that build on the split call this. Conversations that come once something is held out train.
    """
    database = workspace.database
    with database.write():
        known = assigned_splits(workspace)
        expected = expected_splits(workspace)
        for uid, split in expected.items():
            if known.get(uid) != split:
                _set(database, uid, split, "rule")
    return expected


def expected_splits(workspace: Workspace) -> dict[str, str]:
    """What ``assign_splits`` would return now; assigns nothing."""
    conversations = trainable_conversations(workspace.database)
    known = splits(workspace.database)
    aside: dict[str, str] = {}
    # A split outlives its conversation, in case it comes back; until then nothing is held out by it.
    held = {uid for uid, (split, _) in known.items() if split == "heldout"}
    if held.isdisjoint(conversation.uid for conversation in list_conversations(workspace.database)):
        # What a person has placed is none of the rule's, nor does it count for its share.
        free = [each for each in conversations if known.get(each.uid, ("", "rule"))[1] == "rule"]
        aside = _latest_aside(free, workspace.settings.dataset.heldout)
    return {each.uid: aside.get(each.uid) or known.get(each.uid, ("train", ""))[0] for each in conversations}


def hold_out(workspace: Workspace, references: Sequence[str]) -> None:
    """A person's choice: these (``c7`` or a uid) are held out, and those that the rule held out train again.

    Where one of them validated, the latest of the rest does so now. Passages of what is set aside go at once. Raises
    UsageError for a conversation that is not there or cannot be trained on.
    """
    database = workspace.database
    by_uid = {conversation.uid: conversation for conversation in trainable_conversations(database)}
    by_id = {conversation.id: conversation for conversation in by_uid.values()}
    chosen: set[str] = set()
    for reference in references:
        found = by_uid.get(reference) or by_id.get(row_number(reference, "c"))
        if found is None:
            raise UsageError(
                f"no conversation {reference!r} that could be held out", "`simulee corpus list` shows their ids"
            )
        chosen.add(found.uid)
    before = assign_splits(workspace)
    with database.write():
        for uid, (split, chosen_by) in splits(database).items():
            if split == "heldout" and chosen_by == "rule" and uid not in chosen:
                _set(database, uid, "train", "rule")
        for uid in chosen:
            _set(database, uid, "heldout", "person")
        if any(before.get(uid) == "validation" for uid in chosen):
            _validate_on_the_latest(database)


def keep_in_training(workspace: Workspace, conversation_uid: str) -> None:
    """A person's choice: no rule sets this conversation aside. What a person has held out stays so."""
    database = workspace.database
    with database.write():
        if splits(database).get(conversation_uid, ("", "rule"))[1] == "rule":
            _set(database, conversation_uid, "train", "person")


def pass_on(database: Database, gone: str, heir: str) -> None:
    """A conversation stays where it was set aside under the uid that it has after a correction.

    The caller holds the transaction, and the conversation that is gone is still stored.
    """
    known = split_of(database, gone)
    if known is None:
        return
    own = split_of(database, heir) or ("train", "rule")
    _set(database, heir, *max(own, known, key=weight_of_split))
    if count_sources_of(database, gone) <= 1:
        forget_split(database, gone)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A conversation that can be trained on, or held out."""

    reference: str
    title: str
    date: str
    exchanges: int
    split: str
    """As it stands; ``train`` where nothing was assigned yet."""
    by_person: bool


def candidates(workspace: Workspace) -> list[Candidate]:
    """Every conversation that ``hold_out`` takes, in its order."""
    database = workspace.database
    known = splits(database)
    found = []
    for row in trainable_conversations(database):
        split, chosen_by = known.get(row.uid, ("train", "rule"))
        asked = sum(bool(exchange.question) for exchange in exchanges_of(database, row.id))
        found.append(Candidate(f"c{row.id}", row.title, row.date, asked, split, chosen_by == "person"))
    return found


def _set(database: Database, uid: str, split: str, chosen_by: str) -> None:
    assign_split(database, uid, split, chosen_by)
    if split != "train":
        remove_chunks_of_conversation(database, uid)


def _validate_on_the_latest(database: Database) -> None:
    """Let the rule choose anew what validates, where nothing does any more."""
    known = splits(database)
    if any(split == "validation" for split, _ in known.values()):
        return
    rest = [each for each in trainable_conversations(database) if known[each.uid] == ("train", "rule")]
    dated = [each for each in rest if each.first_day >= 0]
    if len(dated) >= SMALLEST_FOR_HELDOUT:
        _set(database, dated[-1].uid, "validation", "rule")


def _latest_aside(conversations: list[ConversationRow], share: float) -> dict[str, str]:
    dated = [conversation for conversation in conversations if conversation.first_day >= 0]
    if share <= 0 or len(dated) < SMALLEST_FOR_HELDOUT:
        return {}
    held = max(1, math.ceil(len(dated) * share))
    chosen = {conversation.uid: "heldout" for conversation in dated[-held:]}
    rest = dated[:-held]
    if len(rest) >= SMALLEST_FOR_HELDOUT:
        chosen[rest[-1].uid] = "validation"
    return chosen
