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


def learn_from(workspace: Workspace, person: str) -> None:
    """Learn from a person where there is something to learn; cheap where there is not."""
    Renewer().learn(workspace, person)


class Renewer:
    """Used from one thread."""

    def __init__(self) -> None:
        self._learner: Learner | None = None

    def renew(self, workspace: Workspace, person: str, order: Order, walk: Walk, place: int) -> Tail | None:
        """Learn from a person where there is something to learn, and order what is ahead of a place anew.

        ``walk`` is a copy that nobody else changes. None when nothing moves.
        """
        learned = self.learn(workspace, person)
        start = max(place + 1 + IN_SIGHT, walk.head)
        ids, groups = walk.ids[start:], walk.groups[start:]
        if learned is not None and order == "uncertainty":
            ids, groups = _reordered(learned, ids, groups)
        there = {-row for row in walk.ids if row < 0}
        rows = [row for row in due(workspace.database, person) if row not in there]
        looks = woven(person, ids, walk.states, rows, 0)
        if ids == walk.ids[start:] and not looks:
            return None
        renewed = Walk(walk.kind, ids, groups, walk.total)
        renewed.weave(looks)
        return Tail(start, renewed.ids, renewed.groups)

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


def _reordered(learned: LearnedRow, ids: list[int], groups: list[int]) -> tuple[list[int], list[int]]:
    """The same cards by the newest model; second looks keep their place, and so does what the model does not know."""
    group_of = dict(zip(ids, groups, strict=True))
    known = iter([row for row in learned.memories if row in group_of])
    there = set(learned.memories)
    order = [next(known) if row in there else row for row in ids]
    return order, [group_of[row] for row in order]
