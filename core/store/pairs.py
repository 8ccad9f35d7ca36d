"""Preference pairs: two answers to one question, and which of them a person preferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.store.database import Database
from core.store.identity import content_uid, row_number

Origin = Literal["correction", "comparison", "generated", "import"]
_COLUMNS = "pair.id, uid, question, prompt, left_text, right_text, origin, message_id, created_at"
_STATE = "coalesce(card_state.state, 'pending'), coalesce(card_state.text, '')"


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair. ``preferred`` is ``left`` or ``right`` once ``state`` is accepted; rejected means both are bad."""

    id: int
    uid: str
    question: str
    prompt: str
    """As the model read it; empty when it is not known."""
    left: str
    right: str
    origin: str
    message_id: int | None
    created_at: str
    state: str
    preferred: str


def put_pair(
    db: Database, question: str, prompt: str, left: str, right: str, origin: Origin, message_id: int | None, at: str
) -> str:
    """Store a pair and return its uid; the same two answers to the same prompt are one pair."""
    uid = content_uid("pair", question, prompt, left, right)
    db.execute(
        "INSERT INTO pair (uid, question, prompt, left_text, right_text, origin, message_id, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
        (uid, question, prompt, left, right, origin, message_id, at),
    )
    return uid


def list_pairs(db: Database) -> list[PairRow]:
    """Every pair with its state, oldest first."""
    return _select(db, "1", ())


def pairs_of_session(db: Database, session_id: int) -> list[PairRow]:
    """Pairs that were made of a session's answers, oldest first."""
    return _select(db, "message_id IN (SELECT id FROM message WHERE session_id = ?)", (session_id,))


def find_pair(db: Database, reference: str) -> PairRow | None:
    """By uid, or by ``p<row id>`` as lists print it."""
    rows = _select(db, "uid = ? OR pair.id = ?", (reference, row_number(reference, "p")))
    return rows[0] if rows else None


def _select(db: Database, where: str, parameters: Sequence[object]) -> list[PairRow]:
    rows = db.rows(
        f"SELECT {_COLUMNS}, {_STATE} FROM pair"
        f" LEFT JOIN card_state ON card_kind = 'pair' AND card_uid = uid WHERE {where} ORDER BY pair.id",
        parameters,
    )
    return [PairRow(*row) for row in rows]
