"""The ledger: every call to a text model, from before it leaves until its outcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.store.database import Database

ANSWERED = "answered"
UNKNOWN = "unknown"
"""How a row without an outcome reads: under way, or of a process that was killed."""
_SENT = " WHERE host <> ''"
_COLUMNS = (
    "id, started_at, ended_at, run, role, engine, host, model, purpose, bytes, about, outcome, prompt_tokens,"
    " answer_tokens, cost"
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A call that is about to be made."""

    started_at: str
    run: str
    role: str
    engine: str
    host: str
    """``name:port`` that receives the words; empty for a model on this machine."""
    model: str
    purpose: str
    bytes: int
    about: tuple[str, ...]
    """uids of the documents, conversations, exchanges or passages whose words are sent."""
    key: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have used up."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended. Tokens are the server's figures where it reports them, else an estimate."""

    ended_at: str
    outcome: str
    prompt_tokens: int
    answer_tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class CallRow:
    """One row of the ledger."""

    id: int
    started_at: str
    ended_at: str
    run: str
    role: str
    engine: str
    host: str
    model: str
    purpose: str
    bytes: int
    about: tuple[str, ...]
    outcome: str
    """``answered``, why not, or ``unknown``."""
    prompt_tokens: int
    answer_tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class HostTotal:
    """What one host was sent by one role."""

    host: str
    role: str
    calls: int
    bytes: int
    documents: int
    """Distinct sources of words among its calls."""
    unknown: int
    """Calls whose outcome is not known."""
    prompt_tokens: int
    answer_tokens: int
    cost: float


def open_call(db: Database, call: Leaving) -> int:
    """Write a call down before it leaves; returns its id. The caller holds the transaction."""
    return db.insert(
        "INSERT INTO model_call (started_at, ended_at, run, role, engine, host, model, purpose, bytes, about, key,"
        " outcome, prompt_tokens, answer_tokens, cost) VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0)",
        (
            call.started_at, call.run, call.role, call.engine, call.host, call.model, call.purpose, call.bytes,
            json.dumps(call.about), call.key,
        ),
    )  # fmt: skip


def close_call(db: Database, call_id: int, ended: Ended) -> None:
    """Write down how a call ended. The caller holds the transaction."""
    db.execute(
        "UPDATE model_call SET ended_at = ?, outcome = ?, prompt_tokens = ?, answer_tokens = ?, cost = ? WHERE id = ?",
        (ended.ended_at, ended.outcome, ended.prompt_tokens, ended.answer_tokens, ended.cost, call_id),
    )


def reopen_call(db: Database, call_id: int) -> None:
    """The answer of a call that was given up is waited for again. The caller holds the transaction."""
    close_call(db, call_id, Ended("", "", 0, 0, 0.0))


def unanswered_calls(db: Database, run: str, role: str) -> dict[str, CallRow]:
    """Key → the last call of a run in a role, where it has no answer."""
    rows = db.rows(
        f"SELECT {_COLUMNS}, key FROM model_call WHERE run = ? AND role = ? ORDER BY id",
        (run, role),
    )
    last = {row[-1]: _call(row[:-1]) for row in rows}
    return {key: call for key, call in last.items() if call.outcome != ANSWERED}


def spent_by(db: Database, run: str, role: str) -> Spent:
    """What a run has used up in a role, over all its attempts; an open row counts as a call."""
    row = db.one(
        "SELECT count(*), coalesce(sum(prompt_tokens + answer_tokens), 0), coalesce(sum(cost), 0.0)"
        " FROM model_call WHERE run = ? AND role = ?",
        (run, role),
    )
    return Spent(*row) if row else Spent()


def recent_calls(db: Database, limit: int, sent_only: bool = False) -> list[CallRow]:
    """The last calls, latest first; with ``sent_only`` those that went to a server."""
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM model_call{_SENT if sent_only else ''} ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [_call(row) for row in rows]


def call_totals(db: Database) -> list[HostTotal]:
    """What every host was sent by every role, over the whole ledger; the machine's own models last."""
    rows = db.rows(
        "SELECT host, role, count(*), sum(bytes),"
        " (SELECT count(DISTINCT value) FROM model_call AS other, json_each(other.about)"
        "  WHERE other.host = model_call.host AND other.role = model_call.role),"
        " sum(outcome = ''), sum(prompt_tokens), sum(answer_tokens), sum(cost)"
        " FROM model_call GROUP BY host, role ORDER BY host = '', host, role"
    )
    return [HostTotal(*row) for row in rows]


def outcomes(db: Database, run: str, role: str) -> dict[str, int]:
    """How a run's calls ended: outcome → how many; open rows are ``unknown``."""
    rows: Sequence[tuple[str, int]] = [
        (row[0], row[1])
        for row in db.rows(
            "SELECT outcome, count(*) FROM model_call WHERE run = ? AND role = ? GROUP BY outcome", (run, role)
        )
    ]
    return {outcome or UNKNOWN: count for outcome, count in rows}


def _call(row: Sequence[Any]) -> CallRow:
    return CallRow(*(*row[:10], tuple(json.loads(row[10])), row[11] or UNKNOWN, *row[12:]))
