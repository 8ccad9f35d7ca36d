"""Second looks: what a person decided when a card that they had decided on came back to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from core.store.blind_draws import SEEN_IN_BATCH
from core.store.database import Database
from core.store.decisions import DecisionRow, newest_first

SECOND = "second"
"""The card kind under which a second look stands in the log; no card's state is under it."""
ONE_IN = 20
"""One decided card in this many comes back: 5%."""
SPREAD = 2_654_435_761
"""Knuth's multiplicative hash: neighboring row ids fall far apart."""
_AS_DECISION = "after_decision, at, batch, 'second', card_uid, verb, reason, text, 'person', actor, '' FROM second_look"
_STANDS = (
    " coalesce((SELECT verb FROM decision AS turn WHERE turn.target_batch = {batch} ORDER BY turn.id DESC LIMIT 1), '')"
    " <> 'undo'"
)


@dataclass(frozen=True, slots=True)
class LookedTwice:
    """One card with the two verdicts of one person, neither of them taken back."""

    card_uid: str
    first: str
    """``accept``, ``edit`` or ``reject``."""
    second: str
    at: str
    """When the second one was made."""
    settled: bool
    """Whether the card was decided on anew since the first one."""
    title: str
    """Of the passage."""
    text: str
    """Of the memory."""


def append_second_look(db: Database, row: DecisionRow, first_decision: int) -> None:
    """``row.id`` is the last decision of this moment. The caller holds the transaction."""
    db.execute(
        "INSERT INTO second_look (after_decision, at, batch, card_uid, verb, reason, text, actor, first_decision)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row.id, row.at, row.batch, row.card_uid, row.verb, row.reason, row.text, row.actor, first_decision),
    )


def second_looks_of_batch(db: Database, batch: str) -> list[DecisionRow]:
    """As rows of the log; their ids are those of the decisions before them."""
    rows = db.rows(f"SELECT {_AS_DECISION} WHERE batch = ? ORDER BY id", (batch,))
    return [DecisionRow(*row) for row in rows]


def whole_log_newest_first(db: Database) -> Iterator[DecisionRow]:
    """Decisions and second looks as one log from its end: a second look comes after the decision it names."""
    looks = db.rows(f"SELECT {_AS_DECISION} ORDER BY id DESC")
    return merge((DecisionRow(*row) for row in looks), newest_first(db), key=lambda row: -row.id)


def standing_decision(db: Database, card_uid: str) -> int | None:
    """The decision that a memory stands by."""
    value = db.value("SELECT decision_id FROM card_state WHERE card_kind = 'memory' AND card_uid = ?", (card_uid,))
    return None if value is None else int(value)


def due_for_second_look(db: Database, actor: str, offset: int, apart: int) -> list[int]:
    """Row ids of the memories that are to come back to a person: one in ``ONE_IN`` of what they decided by looking.

    ``offset`` says which of the ``ONE_IN``; ``apart`` how many rows the log has grown by since the decision.
    """
    rows = db.rows(
        "SELECT memory.id FROM card_state JOIN decision ON decision.id = decision_id"
        " JOIN memory ON memory.uid = card_state.card_uid"
        " WHERE card_state.card_kind = 'memory' AND card_state.state IN ('accepted', 'rejected')"
        " AND decision.actor_kind = 'person' AND decision.actor = ?"
        f" AND (memory.id * {SPREAD} / 65536) % {ONE_IN} = ? AND {SEEN_IN_BATCH}"
        " AND decision.id + ? <= (SELECT max(id) FROM decision)"
        " AND NOT EXISTS (SELECT 1 FROM second_look WHERE second_look.card_uid = memory.uid"
        " AND second_look.actor = decision.actor AND second_look.verb IN ('accept', 'edit', 'reject')"
        f" AND {_STANDS.format(batch='second_look.batch')}) ORDER BY memory.id",
        (actor, offset, apart),
    )
    return [int(row[0]) for row in rows]


def looked_twice(db: Database, actor: str) -> list[LookedTwice]:
    """The pairs of verdicts of one person, oldest second look first; where a card came back twice, the last one."""
    rows = db.rows(
        "SELECT second_look.card_uid, decision.verb, second_look.verb, second_look.at,"
        " coalesce(card_state.decision_id <> first_decision, 1), coalesce(document.title, told.title, ''),"
        " coalesce(memory.text, '')"
        " FROM second_look JOIN decision ON decision.id = first_decision"
        " LEFT JOIN card_state ON card_state.card_kind = 'memory' AND card_state.card_uid = second_look.card_uid"
        " LEFT JOIN memory ON memory.uid = second_look.card_uid LEFT JOIN chunk ON chunk.id = memory.chunk_id"
        " LEFT JOIN document ON document.id = chunk.document_id"
        " LEFT JOIN exchange AS source ON source.id = chunk.exchange_id"
        " LEFT JOIN conversation AS told ON told.id = source.conversation_id"
        " WHERE second_look.actor = ? AND second_look.verb IN ('accept', 'edit', 'reject')"
        " AND decision.verb IN ('accept', 'edit', 'reject')"
        f" AND {_STANDS.format(batch='second_look.batch')} AND {_STANDS.format(batch='decision.batch')}"
        " ORDER BY second_look.id",
        (actor,),
    )
    pairs = {str(row[0]): LookedTwice(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6]) for row in rows}
    return list(pairs.values())
