"""Second looks: one in twenty decided memories comes back unmarked, to see how consistent the person is.

Double blind: neither the person nor what the card shows knows of the first verdict. The card is shown as if it had
never been decided on, without the judges' figures; so that a card without figures does not give itself away, as many
fresh ones are shown without them too while there are second looks in the queue. The second verdict is kept apart and
never overturns the first.

In a queue a second look is the negative of the memory's row id: it has a state of its own there.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from hashlib import sha256

from core.review.shares import Share, kappa
from core.store import second_looks as store
from core.store.database import Database
from core.store.second_looks import ONE_IN, SPREAD, LookedTwice

APART = 20
"""Rows that the log must have grown by since the decision: what was just seen is only remembered."""
EVERY = 20
"""Cards of the queue to one second look, at a random place among them."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """How a person's second verdicts agree with their first."""

    agreement: Share
    kappa: float | None
    """Cohen's: agreement beyond what the shares of acceptances alone would give; None where that leaves no room."""
    contradictions: tuple[LookedTwice, ...]
    """Newest first."""


def consistency(db: Database, person: str) -> Consistency:
    """Of one person, over all cards that they looked at twice."""
    pairs = store.looked_twice(db, person)
    verdicts = [(pair.first != "reject", pair.second != "reject") for pair in pairs]
    return Consistency(
        Share(sum(first == second for first, second in verdicts), len(verdicts)),
        kappa(verdicts),
        tuple(pair for pair, (first, second) in zip(pairs, verdicts, strict=True) if first != second)[::-1],
    )


def due(db: Database, person: str) -> list[int]:
    """Row ids of the memories that are to come back to a person, in a random order that is always the same."""
    ids = store.due_for_second_look(db, person, _offset(person), APART)
    return sorted(ids, key=lambda row: _chance(person, row))


def is_camouflage(person: str, row: int) -> bool:
    """Whether a fresh card is shown without figures for the sake of the second looks: as many of them as of those."""
    return row * SPREAD // 65536 % ONE_IN == (_offset(person) + 1) % ONE_IN


def woven(
    person: str, ids: Sequence[int], decided: Container[int], rows: Sequence[int], start: int
) -> list[tuple[int, int]]:
    """Where second looks at these memories go into a queue, from a place on: (place, row id), by place; each goes
    before the card that is there now.

    Only cards that are not ``decided`` are counted, and there is one second look to ``EVERY`` of them. Where these end
    there are no more: nothing else would be left, and the person would know.
    """
    found: list[tuple[int, int]] = []
    place, fresh = start - 1, 0
    near = set(ids[max(0, start - EVERY) : start + EVERY])
    for row in rows:
        if row in near or -row in near:
            continue  # Still in sight.
        wanted = len(found) * EVERY + 1 + int(_chance(person, -row) * EVERY)
        while fresh < wanted and place + 1 < len(ids):
            place += 1
            fresh += ids[place] not in decided
        if fresh < wanted:
            break
        found.append((place, row))
    return found


def _offset(person: str) -> int:
    """Which of the ``ONE_IN`` classes of memories comes back to this person."""
    return int.from_bytes(sha256(f"second look\0{person}".encode("utf-8", "replace")).digest()[:4]) % ONE_IN


def _chance(person: str, row: int) -> float:
    """A number in [0, 1) that belongs to a person and a row."""
    digest = sha256(f"second look\0{person}\0{row}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)
