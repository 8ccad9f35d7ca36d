"""A person who decides by a rule of their own, for tests of what is learned from them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

from core.review.decisions import Actor, Decision, decide
from core.store.database import Database
from core.store.learned import question_bits

NELL = Actor("person", "Nell")
Accepts = Callable[[int], bool]


def uid(number: int) -> str:
    """Of a memory of ``tests.review_rows``."""
    return f"m{number:06}"


def follows_the_judge(db: Database, count: int, steepness: float = 6.0) -> Accepts:
    """Accepts the more likely, the more bits the question's judge says: with chance 1/2 at 0.2 bits."""
    bits = question_bits(db, range(1, count + 1))
    chance = random.Random(3)
    draws = {number: chance.random() for number in range(1, count + 1)}
    return lambda number: draws[number] < 1 / (1 + math.exp(-steepness * (bits[number] - 0.2)))


def decide_each(db: Database, numbers: Iterable[int], accepts: Accepts, actor: Actor = NELL) -> None:
    """One decision for each memory."""
    for number in numbers:
        decide(db, actor, [Decision(uid(number), "accept" if accepts(number) else "reject")])
