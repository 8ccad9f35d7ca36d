"""What a person tells the twin in so many words: "this is wrong, it is …" and "never say this".

A fact outranks every memory: where it bears on a question it stands first among what the twin remembers, dated like
them. What is never to be said is taken out of every answer, whatever said it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from core.dates import DateSpan
from core.errors import UsageError
from core.models.embedder import Embedder
from core.prompts.render import RecalledMemory
from core.store.sessions import find_message
from core.store.statements import StatementRow, end_statement, find_statement, put_statement, statements
from core.workspace import Workspace

LIKENESS = 0.35
"""Least cosine between a question and a fact for the fact to bear on it; facts are few, so it may be generous."""
SHOWN = 3
"""Facts that stand before the memories of one question, at the most."""
LONGEST = 500
"""Characters of one statement."""


def state_fact(
    workspace: Workspace, actor: str, text: str, since: str = "", instead_of: str = "", message_id: int | None = None
) -> StatementRow:
    """Tell the twin a fact, dated since when it holds. Raises UsageError for no words, or a date that is none."""
    span = DateSpan.parse(since)
    if since and not span.known:
        raise UsageError(f"{since!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    return _put(workspace, actor, "fact", text, instead_of, span.iso(), span.last if span.known else -1, message_id)


def never_say(workspace: Workspace, actor: str, text: str, message_id: int | None = None) -> StatementRow:
    """Let the twin never say these words again, in this order. Raises UsageError for no words."""
    return _put(workspace, actor, "never", text, "", "", -1, message_id)


def take_back(workspace: Workspace, actor: str, reference: str) -> StatementRow:
    """Let a statement hold no more. Raises UsageError for one that does not stand."""
    database = workspace.database
    found = find_statement(database, reference)
    if found is None:
        raise UsageError(f"no statement {reference!r} stands here", "see `simulee statements list`")
    with database.write():
        end_statement(database, found.uid, actor, _now())
    return found


def bearing_on(question: str, facts: Sequence[StatementRow], embedder: Embedder) -> list[RecalledMemory]:
    """The facts that bear on a question, the nearest first, as a prompt shows them."""
    if not facts or not question.strip():
        return []
    vectors = embedder.embed([question, *(f"{each.instead_of} {each.text}".strip() for each in facts)])
    likeness = np.round(vectors[1:] @ vectors[0], 4)
    order = sorted(range(len(facts)), key=lambda place: (-float(likeness[place]), facts[place].id))
    return [
        RecalledMemory(facts[place].text, facts[place].date)
        for place in order[:SHOWN]
        if float(likeness[place]) >= LIKENESS
    ]


def facts_before(workspace: Workspace, before: int | None) -> list[StatementRow]:
    """The facts that held before a day, or all that hold now."""
    return statements(workspace.database, "fact", before)


def never_said(workspace: Workspace) -> list[str]:
    """Every phrase that is not to be said."""
    return [each.text for each in statements(workspace.database, "never")]


def _put(
    workspace: Workspace,
    actor: str,
    kind: str,
    text: str,
    instead_of: str,
    date: str,
    last_day: int,
    message_id: int | None,
) -> StatementRow:
    words, wrong = (" ".join(each.replace("\0", " ").split()) for each in (text, instead_of))
    if not any(character.isalnum() for character in words):
        raise UsageError("a statement needs its words", "say what is so, or what is never to be said")
    if len(words) > LONGEST:
        raise UsageError(f"a statement of {len(words)} characters is more than one", f"say it in {LONGEST}")
    database = workspace.database
    if message_id is not None and find_message(database, message_id) is None:
        raise UsageError(f"there is no answer {message_id} here", "see the sessions in Chat")
    with database.write():
        uid = put_statement(
            database, "never" if kind == "never" else "fact", words, wrong, date, last_day, message_id, actor, _now()
        )
    found = find_statement(database, uid)
    assert found is not None
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
