"""Proposals: suggested changes that wait for review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.store.database import Database
from core.store.identity import content_uid

ProposalKind = Literal["cleaning", "scene", "prompt", "statement"]


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One suggestion with its state; ``edited`` holds the words after an edit, or is empty."""

    id: int
    uid: str
    kind: str
    about: str
    """uid of what it would change, or empty."""
    title: str
    before: str
    after: str
    reason: str
    score: float
    created_at: str
    state: str
    edited: str


def put_proposal(
    db: Database,
    kind: ProposalKind,
    about: str,
    title: str,
    before: str,
    after: str,
    reason: str,
    score: float,
    at: str,
) -> str:
    """Store a proposal and return its uid; the same suggestion about the same thing is one proposal."""
    uid = content_uid("proposal", kind, about, before, after)
    db.execute(
        "INSERT INTO proposal (uid, kind, about, title, before, after, reason, score, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
        (uid, kind, about, title, before, after, reason, score, at),
    )
    return uid
