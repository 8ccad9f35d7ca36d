"""The review queue of memories: what waits, what a named rule would decide, and how far the work is."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UsageError
from core.review.decisions import Decision, decide_by_rule
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


def decide_by_threshold(db: Database, threshold: float) -> tuple[int, int]:
    """The rule ``question-likelihood``: accept each pending memory whose question gain reaches the threshold.

    It decides as a rule and under its own name, so that its decisions are told from a person's for ever. Returns how
    many it accepted and rejected.
    """

    def choose() -> list[Decision]:
        return [
            Decision(row.memory.uid, "accept")
            if row.question_bits is not None and row.question_bits >= threshold
            else Decision(row.memory.uid, "reject", reason="below threshold")
            for row in pending_memories(db)
            if row.state == "pending"
        ]

    decisions = decide_by_rule(db, f"question-likelihood>={threshold:g}", choose)
    accepted = sum(decision.verb == "accept" for decision in decisions)
    return accepted, len(decisions) - accepted
