"""Decide, undo, redo. Each call commits before it returns; the state of a card is the fold of its decisions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from core.errors import UsageError
from core.store import decisions as store
from core.store.blind_draws import LARGEST_SEEN_BATCH
from core.store.database import Database
from core.store.decisions import DecisionRow
from core.store.learned import foretell
from core.store.second_looks import (
    SECOND,
    append_second_look,
    second_looks_of_batch,
    standing_decision,
    whole_log_newest_first,
)

Verb = Literal["accept", "reject", "edit", "defer", "flag"]
CardKind = Literal["memory", "pair", "proposal"]

STATE_AFTER = {"accept": "accepted", "edit": "accepted", "reject": "rejected", "defer": "deferred", "flag": "flagged"}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides: a person by name, a rule by name, or an import by its file."""

    kind: Literal["person", "rule", "import"]
    name: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided on one card."""

    card_uid: str
    verb: Verb
    reason: str = ""
    text: str = ""
    """The words after an edit; of an accepted pair, ``left`` or ``right``: the answer that is preferred."""
    card_kind: CardKind = "memory"
    second: bool = False
    """A second look at a memory that was decided on: kept apart, it leaves the card as it stands."""


def decide(db: Database, actor: Actor, decisions: Sequence[Decision]) -> list[int]:
    """Commit decisions as one batch, which undoes as one. Returns their ids."""
    with db.write():
        return append(db, actor, decisions)


def decide_by_rule(db: Database, rule: str, choose: Callable[[], Sequence[Decision]]) -> Sequence[Decision]:
    """Let a rule choose and commit in one transaction, so that it never overrides what a person decides meanwhile."""
    with db.write():
        decisions = choose()
        if decisions:
            append(db, Actor("rule", rule), decisions)
    return decisions


def append(db: Database, actor: Actor, decisions: Sequence[Decision]) -> list[int]:
    """The same where the caller holds the transaction: what is decided on is stored in it too.

    What was foretold of a memory is kept beside a person's decision on it, before anything can be learned from that.
    Raises UsageError for a second look at a card that does not stand by a decision, and for an accepted pair of which
    nobody says which side is better.
    """
    for each in decisions:
        check(each)
    batch = secrets.token_hex(8)
    at = _now()
    ids = []
    looked_at = []
    for each in decisions:
        card = (each.card_kind, each.card_uid)
        row = DecisionRow(0, at, batch, *card, each.verb, each.reason, each.text, actor.kind, actor.name, "")
        if each.second:
            _look_again(db, row)
            continue
        decision_id = store.append_decision(db, row)
        store.set_card_state(db, *card, STATE_AFTER[each.verb], each.text, decision_id)
        ids.append(decision_id)
        if each.card_kind == "memory":
            looked_at.append((decision_id, each.card_uid))
    if actor.kind == "person" and 0 < len(decisions) <= LARGEST_SEEN_BATCH:
        foretell(db, actor.name, looked_at)
    return ids


def check(decision: Decision) -> None:
    """Raises UsageError for an accepted pair of which nobody says which side is better."""
    is_accepted_pair = decision.card_kind == "pair" and STATE_AFTER[decision.verb] == "accepted"
    if is_accepted_pair and decision.text not in ("left", "right"):
        raise UsageError(f"pair {decision.card_uid}: which side is better is not said", "its text is left or right")


def _look_again(db: Database, row: DecisionRow) -> None:
    first = standing_decision(db, row.card_uid)
    if first is None:
        raise UsageError(f"{row.card_uid} is not decided on: there is nothing to look at again", "decide on it")
    append_second_look(db, replace(row, id=store.last_decision_id(db), card_kind=SECOND), first)


def undo(db: Database, actor: Actor) -> list[DecisionRow]:
    """Take back the last batch that stands. Returns its decisions, second looks last.

    Raises UsageError when there is none.
    """
    return _turn(db, actor, "undo")


def redo(db: Database, actor: Actor) -> list[DecisionRow]:
    """Bring back the batch that was undone last, unless something was decided since. Raises UsageError."""
    return _turn(db, actor, "redo")


def fold(rows: Iterable[DecisionRow]) -> dict[tuple[str, str], tuple[str, str, int]]:
    """(card kind, card uid) → (state, edited text, decision id), from the whole log."""
    rows = list(rows)
    standing = _standing(rows)
    states: dict[tuple[str, str], tuple[str, str, int]] = {}
    for row in rows:
        if row.card_uid and row.batch in standing:
            states[row.card_kind, row.card_uid] = (STATE_AFTER[row.verb], row.text, row.id)
    return states


def recompute(db: Database) -> int:
    """Make the cached states the fold of the decisions again. Returns how many cards differed."""
    with db.write():
        wanted = fold(store.list_decisions(db))
        cached = store.card_states(db)
        differing = 0
        for key in cached.keys() - wanted.keys():
            store.clear_card_state(db, *key)
            differing += 1
        for key, (state, text, decision_id) in wanted.items():
            if cached.get(key) != (state, text):
                store.set_card_state(db, *key, state, text, decision_id)
                differing += 1
    return differing


def _turn(db: Database, actor: Actor, verb: Literal["undo", "redo"]) -> list[DecisionRow]:
    with db.write():
        log = whole_log_newest_first(db)
        batch = _to_undo(log) if verb == "undo" else _to_redo(log)
        if not batch:
            raise UsageError(f"there is nothing to {verb}", "see `simulee review --stats`")
        row = DecisionRow(0, _now(), secrets.token_hex(8), "", "", verb, "", "", actor.kind, actor.name, batch)
        store.append_decision(db, row)
        affected = store.decisions_of_batch(db, batch)
        looks = second_looks_of_batch(db, batch)  # They are no card's state: that their batch is undone says it all.
        for card in dict.fromkeys((each.card_kind, each.card_uid) for each in affected):
            decided = reversed(store.decisions_of_card(db, *card))
            last = next((each for each in decided if not store.is_undone(db, each.batch)), None)
            if last is None:
                store.clear_card_state(db, *card)
            else:
                store.set_card_state(db, *card, STATE_AFTER[last.verb], last.text, last.id)
    return affected + looks


def _to_undo(log: Iterable[DecisionRow]) -> str:
    """The newest batch that stands, from the log newest first; '' when there is none."""
    undone: dict[str, bool] = {}
    for row in log:
        if row.target_batch:
            undone.setdefault(row.target_batch, row.verb == "undo")
        elif not undone.get(row.batch, False):
            return row.batch
    return ""


def _to_redo(log: Iterable[DecisionRow]) -> str:
    """The batch that was undone last and not brought back, unless something was decided since."""
    brought_back = 0
    for row in log:
        if row.verb == "redo":
            brought_back += 1
        elif row.verb != "undo":
            return ""
        elif brought_back == 0:
            return row.target_batch
        else:
            brought_back -= 1
    return ""


def _standing(rows: Iterable[DecisionRow]) -> set[str]:
    """The batches that stand."""
    standing: set[str] = set()
    for row in rows:
        if row.verb == "undo":
            standing.discard(row.target_batch)
        elif row.verb == "redo":
            standing.add(row.target_batch)
        else:
            standing.add(row.batch)
    return standing


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
