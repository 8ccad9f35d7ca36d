"""The review queue of memories: what waits, what a named rule would decide, and how far the work is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import UsageError
from core.review.decisions import Decision, decide_by_rule
from core.review.instructions import speaks_to_a_model
from core.store.blind_draws import drawn
from core.store.database import Database
from core.store.decisions import last_decision_id
from core.store.memories import ReviewRow, find_memory, memory_counts, pending_memories


@dataclass(frozen=True, slots=True)
class ReviewStats:
    """How many memories are in each state, and how many decisions were ever made."""

    pending: int
    accepted: int
    rejected: int
    deferred: int
    flagged: int
    decisions: int


@dataclass(frozen=True, slots=True)
class NextCard:
    """A card that waits; one of a person's blind sample is shown without the judges' figures."""

    row: ReviewRow
    blind: bool


def stats(db: Database) -> ReviewStats:
    counts = memory_counts(db)
    return ReviewStats(
        counts.get("pending", 0),
        counts.get("accepted", 0),
        counts.get("rejected", 0),
        counts.get("deferred", 0),
        counts.get("flagged", 0),
        last_decision_id(db),
    )


def card(db: Database, reference: str) -> ReviewRow:
    """The memory with this uid or ``m<number>``. Raises UsageError."""
    row = find_memory(db, reference)
    if row is None:
        raise UsageError(f"no memory {reference!r} here", "see `simulee review --next 5`")
    return row


def next_cards(db: Database, person: str, count: int) -> list[NextCard]:
    """The next cards that wait: a person's blind sample in the order of its draw, then the order of the exchanges."""
    order = {row.memory_id: place for place, row in enumerate(drawn(db, person))}
    rows = pending_memories(db)
    rows.sort(key=lambda row: order.get(row.memory.id, len(order)) if row.state == "pending" else len(order))
    return [NextCard(row, row.memory.id in order) for row in rows[:count]]


def decide_by_threshold(db: Database, threshold: float) -> tuple[int, int]:
    """The rule ``question-likelihood``: accept each pending memory whose question gain reaches the threshold.

    It decides as a rule and under its own name, so that its decisions are told from a person's for ever. How many of
    them the person would share is not known here: ``core.review.blind`` measures it first. Returns how many it accepted
    and rejected.
    """

    decisions = decide_by_rule(
        db,
        f"question-likelihood>={threshold:g}",
        lambda: by_score(db, lambda row: row.question_bits, threshold),
    )
    accepted = sum(decision.verb == "accept" for decision in decisions)
    return accepted, len(decisions) - accepted


def by_score(db: Database, score_of: Callable[[ReviewRow], float | None], threshold: float) -> list[Decision]:
    """What a rule decides on the memories that wait: accept from a score on, else reject.

    One that would be accepted and speaks to a model is left to a person: its words may have made its score.
    """
    decisions = []
    for row in pending_memories(db):
        if row.state != "pending":
            continue
        score = score_of(row)
        if score is None or score < threshold:
            decisions.append(Decision(row.memory.uid, "reject", reason="below threshold"))
        elif not speaks_to_a_model(row.memory.text):
            decisions.append(Decision(row.memory.uid, "accept"))
    return decisions
