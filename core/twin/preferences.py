"""What a person makes of answers: ratings, corrections, choices between two. The last two become preference pairs.

A pair and the decision that prefers one of its sides are stored together, and undone like every decision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from core.atomic import write_atomically
from core.dataset.preference_file import read_pairs, storable
from core.errors import UsageError
from core.review.decisions import Actor, Decision, append
from core.store.database import Database
from core.store.pairs import Origin, list_pairs, put_pair
from core.store.sessions import MessageRow, find_message, question_of, rate_message, remove_session, rests_on
from core.workspace import Workspace

Side = Literal["left", "right"]
_OTHER: dict[Side, Side] = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class ImportedPairs:
    """What an import of pairs brought."""

    added: int
    known: int
    refused: tuple[str, ...]
    """Line and reason."""


def rate(workspace: Workspace, message_id: int, rating: int) -> None:
    """Call an answer good (1) or bad (-1), or take that back (0). Raises UsageError."""
    _answer(workspace.database, message_id)
    with workspace.database.write():
        rate_message(workspace.database, message_id, rating, _now())


def correct(workspace: Workspace, actor: Actor, message_id: int, text: str) -> str:
    """Say what an answer should have been. Returns the uid of the pair that prefers it. Raises UsageError."""
    database = workspace.database
    answer, question = _answer(database, message_id)
    words = storable(text)
    if not words:
        raise UsageError("a correction needs its words", "write what the answer should have been")
    if words == answer.text:
        raise UsageError("that is what was said: nothing is corrected", "change the words")
    return _keep(database, actor, (question, answer.prompt, words, answer.text), "correction", message_id, "left")


def compare(workspace: Workspace, actor: Actor, left_id: int, right_id: int, better: Side | None) -> str:
    """Choose between two answers to one question; None when both are bad. Returns the pair's uid. Raises UsageError."""
    database = workspace.database
    left, question = _answer(database, left_id)
    right, other = _answer(database, right_id)
    if left.session_id != right.session_id or question != other or left_id == right_id:
        raise UsageError("those are not two answers to one question", "compare two answers to the same one")
    if left.text == right.text:
        raise UsageError("both say the same: there is nothing to choose", "ask for another answer")
    if left_id > right_id:
        # The older one stands on the left, so that the same two, whichever is named first, are one pair.
        left, right = right, left
        better = _OTHER[better] if better else None
    return _keep(database, actor, (question, right.prompt, left.text, right.text), "comparison", right.id, better)


def forget_session(workspace: Workspace, session_id: int) -> None:
    """Remove a session with its messages, receipts and ratings; pairs made of it keep their texts."""
    with workspace.database.write():
        remove_session(workspace.database, session_id)


def export_pairs(workspace: Workspace, path: Path) -> int:
    """Write every pair with a preferred side as JSON lines: prompt, chosen, rejected. Returns how many."""
    rows = []
    for pair in list_pairs(workspace.database):
        if pair.state == "accepted" and pair.preferred in ("left", "right"):
            chosen, rejected = (pair.left, pair.right) if pair.preferred == "left" else (pair.right, pair.left)
            rows.append(
                {
                    "prompt": pair.prompt or pair.question,
                    "chosen": chosen,
                    "rejected": rejected,
                    "question": pair.question,
                    "origin": pair.origin,
                }
            )
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name a file in a folder you can write to") from None
    return len(rows)


def import_pairs(workspace: Workspace, path: Path) -> ImportedPairs:
    """Bring in pairs from JSON lines: prompt, chosen, rejected; each a text or a chat of one message.

    A line that is none of these is refused and told. Raises UsageError when the file cannot be read.
    """
    database = workspace.database
    known = {_identity(pair.question, pair.prompt, pair.left, pair.right) for pair in list_pairs(database)}
    fresh: list[tuple[str, str, str, str]] = []
    again = 0
    found = read_pairs(path)
    for each in found.pairs:
        row = (each.question, each.prompt, each.chosen, each.rejected)
        if _identity(*row) in known:
            again += 1
            continue
        known.add(_identity(*row))
        fresh.append(row)
    with database.write():
        uids = [put_pair(database, *row, "import", None, _now(), owners=()) for row in fresh]
        if uids:
            decisions = [Decision(uid, "accept", text="left", card_kind="pair") for uid in uids]
            append(database, Actor("import", path.name), decisions)
    return ImportedPairs(len(fresh), again, found.refused)


def _keep(
    database: Database,
    actor: Actor,
    row: tuple[str, str, str, str],
    origin: Origin,
    message_id: int,
    better: Side | None,
) -> str:
    with database.write():
        uid = put_pair(database, *row, origin, message_id, _now(), rests_on(database, message_id))
        decision = Decision(uid, "accept", text=better, card_kind="pair") if better else Decision(
            uid, "reject", reason="both bad", card_kind="pair")  # fmt: skip
        append(database, actor, [decision])
    return uid


def _answer(database: Database, message_id: int) -> tuple[MessageRow, str]:
    """An answer and the question it answers."""
    message = find_message(database, message_id)
    if message is None or message.role != "assistant":
        raise UsageError(f"there is no answer {message_id} here", "see the sessions in Chat")
    question = question_of(database, message)
    return message, question.text if question else ""


def _identity(question: str, prompt: str, left: str, right: str) -> tuple[str, str, frozenset[str]]:
    return question, prompt, frozenset((left, right))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
