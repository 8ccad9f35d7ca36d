"""Which conversations are set aside for measuring: by whole conversation and by time.

The latest quarter of the dated conversations is held out and the latest of the rest validates. What was once held out
stays so until a person releases it by name; while nothing is, the rule is tried again. A person's choice outranks the
rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import DatasetError, UsageError
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

Splits = dict[str, tuple[str, str]]
"""Conversation uid → (split, chosen by)."""

RELEASED = ("train", "person")
"""No rule sets it aside."""

SMALLEST_FOR_HELDOUT = 4
"""With fewer dated conversations than this nothing is held out: there would be too little to learn from."""


def assigned_splits(workspace: Workspace) -> dict[str, str]:
    """Conversation uid → split as it stands, without assigning anything; what has none yet is left out."""
    return {uid: split for uid, (split, _) in splits(workspace.database).items()}


@dataclass(frozen=True, slots=True)
class Placing:
    """What is to be set aside, and what was when that was decided: conversation uid → (split, chosen by)."""

    conversations: tuple[ConversationRow, ...]
    """What can be trained on, oldest first, undated ones at the end."""
    before: Splits
    after: Splits

    def split_of(self, conversation_uid: str) -> str:
        """After it; ``train`` for what is not placed."""
        return self.after.get(conversation_uid, ("train", ""))[0]

    def of_conversations(self) -> dict[str, str]:
        """Uid → split, of what can be trained on."""
        return {each.uid: self.split_of(each.uid) for each in self.conversations}


def plan_splits(workspace: Workspace, heldout: Sequence[str] = (), released: Sequence[str] = ()) -> Placing:
    """Where every trainable conversation belongs, by a person's choice and by the rule; assigns nothing.

    ``heldout`` (``c7`` or a uid) are held out by a person, and those that the rule held out train again. Where one of
    them validated, the latest of the rest does so then. ``released`` are held out no more: they train, and no rule sets
    them aside. Conversations that come once something is held out train. Raises UsageError for a conversation that is
    not there or cannot be trained on, and for a released one that is neither held out nor was released before.
    """
    database = workspace.database
    conversations = trainable_conversations(database)
    before = splits(database)
    after = dict(before)
    chosen, freed = _named(conversations, heldout), _named(conversations, released)
    for uid, reference in freed.items():
        if uid in chosen:
            raise UsageError(f"{reference} is both held out and released", "name it once")
        if after.get(uid) not in (("heldout", "person"), ("heldout", "rule"), RELEASED):
            raise UsageError(f"{reference} is not held out", "`simulee corpus list` shows what is")
        after[uid] = RELEASED
    _place_by_rule(workspace, conversations, after)
    if chosen:
        validated = any(after[uid][0] == "validation" for uid in chosen)
        for uid, placed in after.items():
            if placed == ("heldout", "rule"):
                after[uid] = ("train", "rule")
        after |= dict.fromkeys(chosen, ("heldout", "person"))
        if validated:
            _validate_on_the_latest(conversations, after)
    return Placing(tuple(conversations), before, after)


def place(database: Database, placing: Placing) -> None:
    """Carry a plan out. Passages of what is set aside go at once. The caller holds the transaction.

    Raises DatasetError when what it places was placed elsewhere since it was made.
    """
    now = splits(database)
    for uid, placed in placing.after.items():
        if now.get(uid) == placed:
            continue
        if now.get(uid) != placing.before.get(uid):
            raise DatasetError("what is held out has changed meanwhile", "run the same command again")
        _set(database, uid, *placed)


def assign_splits(workspace: Workspace, heldout: Sequence[str] = ()) -> dict[str, str]:
    """Plan and place at once, and return uid → split of what can be trained on.

    Only stages that build on the split call this.
    """
    with workspace.database.write():
        placing = plan_splits(workspace, heldout)
        place(workspace.database, placing)
    return placing.of_conversations()


def hold_out(workspace: Workspace, references: Sequence[str]) -> None:
    """A person's choice, at once: these are held out, as ``plan_splits`` says."""
    assign_splits(workspace, references)


def expected_splits(workspace: Workspace) -> dict[str, str]:
    """What ``assign_splits`` would return now; assigns nothing."""
    return plan_splits(workspace).of_conversations()


def keep_in_training(workspace: Workspace, conversation_uid: str) -> None:
    """No rule sets this conversation aside, as a person chose. What a person has held out stays so."""
    database = workspace.database
    with database.write():
        if splits(database).get(conversation_uid, ("", "rule"))[1] == "rule":
            _set(database, conversation_uid, *RELEASED)


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


def _named(conversations: Sequence[ConversationRow], references: Sequence[str]) -> dict[str, str]:
    """Uid → reference. Raises UsageError for one that is none of these conversations."""
    by_uid = {conversation.uid: conversation for conversation in conversations}
    by_id = {conversation.id: conversation for conversation in conversations}
    named: dict[str, str] = {}
    for reference in references:
        found = by_uid.get(reference) or by_id.get(row_number(reference, "c"))
        if found is None:
            raise UsageError(
                f"no conversation {reference!r} that is cleared for training", "`simulee corpus list` shows their ids"
            )
        named[found.uid] = reference
    return named


def _set(database: Database, uid: str, split: str, chosen_by: str) -> None:
    assign_split(database, uid, split, chosen_by)
    if split != "train":
        remove_chunks_of_conversation(database, uid)


def _place_by_rule(workspace: Workspace, conversations: Sequence[ConversationRow], known: Splits) -> None:
    """Place what has no place; where nothing is held out, what the rule placed too."""
    aside: dict[str, str] = {}
    # A split outlives its conversation, in case it comes back; until then nothing is held out by it.
    held = {uid for uid, (split, _) in known.items() if split == "heldout"}
    if held.isdisjoint(conversation.uid for conversation in list_conversations(workspace.database)):
        # What a person has placed is none of the rule's, nor does it count for its share.
        free = [each for each in conversations if known.get(each.uid, ("", "rule"))[1] == "rule"]
        aside = _latest_aside(free, workspace.settings.dataset.heldout)
    for each in conversations:
        split = aside.get(each.uid) or known.get(each.uid, ("train", ""))[0]
        if known.get(each.uid, ("", ""))[0] != split:
            known[each.uid] = (split, "rule")


def _validate_on_the_latest(conversations: Sequence[ConversationRow], known: Splits) -> None:
    """Let the rule choose anew what validates, where nothing does any more."""
    if any(split == "validation" for split, _ in known.values()):
        return
    rest = [each for each in conversations if known[each.uid] == ("train", "rule")]
    dated = [each for each in rest if each.first_day >= 0]
    if len(dated) >= SMALLEST_FOR_HELDOUT:
        known[dated[-1].uid] = ("validation", "rule")


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
