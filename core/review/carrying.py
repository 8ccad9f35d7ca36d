"""Decisions carried between workspaces as JSON lines: how each card stands, who decided it, when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ImportFailed, UsageError
from core.review.decisions import STATE_AFTER, Actor, CardKind, Decision, Verb, check, decide
from core.store import decisions as store
from core.store.review_queue import card_place
from core.workspace import Workspace

LONGEST_LINE = 1_000_000
_BREAKS = re.compile("[\x85\u2028\u2029]")
"""What JSON leaves as it is and many readers of lines take for the end of one."""


class CarriedDecision(BaseModel):
    """One line. Its card must be in the workspace that reads it: the same source read there has the same uids."""

    model_config = ConfigDict(extra="ignore")

    card_kind: CardKind
    card_uid: str
    verb: Verb
    reason: str = ""
    text: str = ""
    actor_kind: Literal["person", "rule", "import"] = "person"
    actor: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not taken, and why."""

    line: int
    reason: str


def export_decisions(workspace: Workspace) -> Iterator[CarriedDecision]:
    """The decision that each decided card stands by, in the order they were made."""
    database = workspace.database
    for row in store.standing_decisions(database):
        yield CarriedDecision.model_validate(
            {
                "card_kind": row.card_kind, "card_uid": row.card_uid, "verb": row.verb, "reason": row.reason,
                "text": row.text, "actor_kind": row.actor_kind, "actor": row.actor, "at": row.at,
            }
        )  # fmt: skip


def import_decisions(workspace: Workspace, path: Path) -> tuple[int, int, list[Refused]]:
    """Take decisions from a file, as one batch of an import by the file's name.

    Returns how many were taken, how many cards stood so already, and what was refused. Raises ImportFailed when the
    file cannot be read.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFailed(f"{path} cannot be read: {error}", "name a file of `simulee review --export`") from None
    taken: list[Decision] = []
    refused: list[Refused] = []
    same = 0
    states = store.card_states(workspace.database)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            carried = CarriedDecision.model_validate_json(line[:LONGEST_LINE])
        except ValidationError as error:
            refused.append(Refused(number, error.errors()[0]["msg"].lower()))
            continue
        if card_place(workspace.database, carried.card_kind, carried.card_uid) is None:
            refused.append(Refused(number, f"no {carried.card_kind} {carried.card_uid} here"))
        elif states.get((carried.card_kind, carried.card_uid)) == (STATE_AFTER[carried.verb], carried.text):
            same += 1
        else:
            decision = Decision(
                carried.card_uid, carried.verb, carried.reason, carried.text, card_kind=carried.card_kind
            )
            try:
                check(decision)
            except UsageError as error:
                refused.append(Refused(number, error.message))
            else:
                taken.append(decision)
    if taken:
        decide(workspace.database, Actor("import", path.name), taken)
    return len(taken), same, refused


def to_line(carried: CarriedDecision) -> str:
    """One line of the file."""
    text = json.dumps(carried.model_dump(), ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
