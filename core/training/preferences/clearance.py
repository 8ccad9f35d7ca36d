"""Whether what a judgement rests on may be trained on, as it stands now."""

from __future__ import annotations

from collections.abc import Sequence

from core.store.consents import standing_of
from core.store.database import Database


class Clearance:
    """Answers by what people have said of sources; each uid is looked up once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bool] = {}

    def covers(self, owners: Sequence[str] | None) -> bool:
        """Whether all of these documents, conversations and exchanges are cleared for training.

        Of what is gone nobody can say what it was for, and of None not even what it was: neither is cleared.
        """
        return owners is not None and all(self._is_cleared(uid) for uid in owners)

    def _is_cleared(self, uid: str) -> bool:
        if uid not in self._known:
            (standing,) = standing_of(self._database, [uid])
            self._known[uid] = standing.uses == {"train"}
        return self._known[uid]
