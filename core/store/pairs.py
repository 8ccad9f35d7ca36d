"""Preference pairs: two answers to one question, and which of them a person preferred."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.store.database import Database
from core.store.identity import content_uid, row_number

Origin = Literal["correction", "comparison", "generated", "import"]
_COLUMNS = "pair.id, uid, question, prompt, left_text, right_text, origin, message_id, created_at"
_STATE = "coalesce(card_state.state, 'pending'), coalesce(card_state.text, ''), coalesce(decision_id, 0), owners"


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
    decision: int
    """The one that it stands by; 0 for none."""
    owners: tuple[str, ...] | None
    """uids of the documents and exchanges that its prompt and its answers rest on; None where nobody can tell."""


def put_pair(
    db: Database,
    question: str,
    prompt: str,
    left: str,
    right: str,
    origin: Origin,
    message_id: int | None,
    at: str,
    owners: Sequence[str] | None = None,
) -> str:
    """Store a pair and return its uid; the same two answers to the same prompt are one pair.

    ``owners`` are as in ``PairRow``; one that is there already rests on these too. The caller holds the transaction.
    """
    uid = content_uid("pair", question, prompt, left, right)
    known = db.value("SELECT owners FROM pair WHERE uid = ?", (uid,))
    every = None if owners is None else _stored([*owners, *_told(known)])
    db.execute(
        "INSERT INTO pair (uid, question, prompt, left_text, right_text, origin, message_id, created_at, owners)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET owners = excluded.owners",
        (uid, question, prompt, left, right, origin, message_id, at, every),
    )
    return uid


def tell_owners(db: Database, origin: Origin, prompt: str, owners: Sequence[str]) -> None:
    """Say what the pairs with a prompt rest on, where that is not known. The caller holds the transaction."""
    db.execute(
        "UPDATE pair SET owners = ? WHERE owners IS NULL AND origin = ? AND prompt = ?",
        (_stored(owners), origin, prompt),
    )


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
    return [PairRow(*[*row[:12], None if row[12] is None else tuple(_told(row[12]))]) for row in rows]


def _stored(owners: Sequence[str]) -> str:
    return json.dumps(sorted(set(owners)))


def _told(owners: str | None) -> list[str]:
    return [str(each) for each in json.loads(owners)] if owners else []
