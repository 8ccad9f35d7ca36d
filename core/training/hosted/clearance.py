"""Which samples of a dataset may go to a host: by the use of every source that they hold words of.

A sample holds the questions and answers of a conversation, and memories of other documents. All of them must still be
for training, and cleared to leave this machine where the host is another; else the sample stays, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.calls.consent import FOR_RECALL, OF_NOTHING_KNOWN, objection
from core.store.chunks import passages
from core.store.consents import standing_of
from core.store.datasets import ExampleRow
from core.store.memories import chunks_of_memories
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Cleared:
    """The samples that may go."""

    rows: tuple[ExampleRow, ...]
    about: tuple[str, ...]
    """uids of the conversations, exchanges and documents whose words they hold."""
    left_out: dict[str, int]
    """Reason → samples that stay."""


def clear(workspace: Workspace, rows: Sequence[ExampleRow], away: bool) -> Cleared:
    """Part the samples into those that may go and those that stay; ``away`` says whether they would leave."""
    owners = _owners(workspace, rows)
    objections: dict[str, str] = {}
    kept: list[ExampleRow] = []
    about: dict[str, None] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        memories = [owners.get(uid, "") for part in row.parts for uid in part.memory_uids]
        uids = [row.conversation_uid, *(part.exchange_uid for part in row.parts), *memories]
        for uid in uids:
            if uid not in objections:
                objections[uid] = _objection(workspace, uid, away)
        reason = next((objections[uid] for uid in uids if objections[uid]), "")
        if reason:
            left_out[reason] += 1
        else:
            kept.append(row)
            about.update(dict.fromkeys(uids))
    return Cleared(tuple(kept), tuple(about), dict(left_out))


def _objection(workspace: Workspace, uid: str, away: bool) -> str:
    (standing,) = standing_of(workspace.database, [uid])
    if not standing.uses:
        # Forgotten since, or made anew from other words: nobody can say any more what it was for.
        return OF_NOTHING_KNOWN
    # Words that only became recall-only after the dataset was frozen are not to be learned by heart elsewhere either.
    return objection(standing, away, workspace.settings.privacy) or (FOR_RECALL if "recall" in standing.uses else "")


def _owners(workspace: Workspace, rows: Sequence[ExampleRow]) -> dict[str, str]:
    """Memory uid → the uid of the document or the exchange that it was recalled from."""
    uids = list(dict.fromkeys(uid for row in rows for part in row.parts for uid in part.memory_uids))
    chunks = chunks_of_memories(workspace.database, uids)
    found = passages(workspace.database, list(dict.fromkeys(chunks.values())))
    return {uid: found[chunk_id].owner_uid for uid, chunk_id in chunks.items() if chunk_id in found}
