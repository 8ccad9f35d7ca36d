"""Which passages a search may see: those that are early enough, and not of the conversation that asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dates import UNDATED_DAY


@dataclass(frozen=True, slots=True)
class Sight:
    """Which passages a search may see."""

    before: int | None = None
    """The as-of day (an ordinal), None for no limit; an undated passage counts as earlier."""
    include_undated: bool = True
    not_conversation: int = 0
    """The conversation whose passages stay unseen, 0 for none."""

    def shows(self, last_day: int, conversation_id: int) -> bool:
        """Whether a passage of this last day (-1: undated), from this conversation (0: none), is seen."""
        return (
            (self.before is None or last_day < self.before)
            and (self.include_undated or last_day != UNDATED_DAY)
            and (not self.not_conversation or conversation_id != self.not_conversation)
        )

    def shows_each(self, last_days: NDArray[np.int64], conversation_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The same for many passages at once, shape (passages,)."""
        shown = np.ones(len(last_days), dtype=np.bool_)
        if self.before is not None:
            shown &= last_days < self.before
        if not self.include_undated:
            shown &= last_days != UNDATED_DAY
        if self.not_conversation:
            shown &= conversation_ids != self.not_conversation
        return shown
