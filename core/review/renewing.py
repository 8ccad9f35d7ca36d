"""The queue put in order again as one decides: off the event loop, and never what is in sight.

Learning, sorting and looking for second looks all happen on a thread of their own, on a copy of the walk. What comes
back replaces the far end of the walk, if the walk is still the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.review.second_looks import due, woven
from core.review.verdicts import is_enough
from core.review.walk import Order, Walk
from core.store import learned as store
from core.store.learned import LearnedRow
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.review.learning import Learner

IN_SIGHT = 8
"""Cards ahead that keep their place."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The cards of a walk from a place on, in another order."""

    start: int
    ids: list[int]
    groups: list[int]
    looks: frozenset[int]
    """Row ids of the memories that are looked at again there, and were not before."""


def learn_from(workspace: Workspace, person: str) -> None:
    """Learn from a person where there is something to learn; cheap where there is not."""
    Renewer().learn(workspace, person)


class Renewer:
    """Used from one thread."""

    def __init__(self) -> None:
        self._learner: Learner | None = None

    def renew(
        self, workspace: Workspace, person: str, order: Order, walk: Walk, place: int, weaves: bool = True
    ) -> Tail | None:
        """Learn from a person where there is something to learn, and order what is ahead of a place anew.

        ``walk`` is a copy that nobody else changes; ``weaves`` says whether second looks may go into it, which they
        never do where a filter would tell them from the rest. None when nothing moves.
        """
        learned = self.learn(workspace, person)
        start = max(place + 1 + IN_SIGHT, walk.head)
        ids, groups = walk.ids[start:], walk.groups[start:]
        if learned is not None and order == "uncertainty":
            from core.review.learning import reordered

            ids, groups = reordered(learned, ids, groups)
        rows = [row for row in due(workspace.database, person) if row not in walk.looks] if weaves else []
        looks = woven(person, ids, walk.states, rows, 0)
        if ids == walk.ids[start:] and not looks:
            return None
        renewed = Walk(walk.kind, ids, groups, walk.total)
        renewed.weave(looks)
        return Tail(start, renewed.ids, renewed.groups, frozenset(renewed.looks))

    def learn(self, workspace: Workspace, person: str) -> LearnedRow | None:
        """Learn where there is something to learn from. Returns the model when it is another one than before."""
        database = workspace.database
        if self._learner is None:
            known = store.learned_at(database, person) is not None
            if not known and not is_enough(store.labels(database, person)):
                return None
            from core.review.learning import Learner  # It needs numpy, which takes a fifth of a second to import.

            self._learner = Learner()
        return self._learner.learn(workspace, person)
