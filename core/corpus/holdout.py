"""Which conversations are set aside for measuring: by whole conversation and by time.

The latest quarter of the dated conversations is held out and the latest of the rest validates; what was once assigned
stays, and a person's choice outranks the rule.
"""

from __future__ import annotations

import math

from core.store.conversations import ConversationRow, assign_split, splits, trainable_conversations
from core.workspace import Workspace

SMALLEST_FOR_HELDOUT = 4
"""With fewer conversations than this nothing is held out: there would be too little to learn from."""


def assign_splits(workspace: Workspace) -> dict[str, str]:
    """Give every trainable conversation a split, and return uid → split.

    The first time, the rule sets the latest ones aside; conversations that come later train.
    """
    database = workspace.database
    conversations = trainable_conversations(database)
    known = splits(database)
    if any(conversation.uid not in known for conversation in conversations):
        chosen: dict[str, str] = {}
        if not any(conversation.uid in known for conversation in conversations):
            chosen = _latest_aside(conversations, workspace.settings.dataset.heldout)
        with database.write():
            for conversation in conversations:
                if conversation.uid not in known:
                    assign_split(database, conversation.uid, chosen.get(conversation.uid, "train"), "rule")
        known = splits(database)
    return {conversation.uid: known[conversation.uid][0] for conversation in conversations}


def hold_out(workspace: Workspace, conversation_uids: list[str]) -> None:
    """A person's choice: these are held out, and those held out by the rule go back to training."""
    database = workspace.database
    assign_splits(workspace)
    with database.write():
        for uid, (split, chosen_by) in splits(database).items():
            if split == "heldout" and chosen_by == "rule" and uid not in conversation_uids:
                assign_split(database, uid, "train", "rule")
        for uid in conversation_uids:
            assign_split(database, uid, "heldout", "person")


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
