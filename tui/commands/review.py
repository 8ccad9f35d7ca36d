"""``simulee review``: decide on memories without a screen."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from core.errors import UsageError
from core.review.decisions import Actor, Decision, decide, redo, undo
from core.review.queue import card, decide_by_threshold, stats
from core.store.memories import ReviewRow, pending_memories
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


class Verb(StrEnum):
    """What can be decided."""

    accept = "accept"
    reject = "reject"
    edit = "edit"
    defer = "defer"
    flag = "flag"


@command(app)
def review(
    face: Face,
    next_cards: Annotated[int | None, typer.Option("--next", min=1, metavar="N", help="Show the next N cards.")] = None,
    decide_id: Annotated[str | None, typer.Option("--decide", metavar="ID", help="Decide on this memory.")] = None,
    verb: Annotated[Verb | None, typer.Argument(help="With --decide.")] = None,
    text: Annotated[str, typer.Option("--text", help="The words after an edit.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for a rejection.")] = "",
    auto: Annotated[float | None, typer.Option("--auto", metavar="T", help="Decide all that waits by a rule.")] = None,
    undo_last: Annotated[bool, typer.Option("--undo", help="Take back the last decision or batch.")] = False,
    redo_last: Annotated[bool, typer.Option("--redo", help="Bring it back.")] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; default: you.")] = "",
    show_stats: Annotated[bool, typer.Option("--stats", help="Only count.")] = False,
) -> None:
    """Show, accept, reject or edit memories; every decision is kept with who made it.

    --auto T accepts what saves at least T bits per question token over an unrelated passage, and rejects the rest, as
    a rule by name, never as a person.

    Example: simulee review --next 3; simulee review --decide m12 accept; simulee review --auto 0
    """
    workspace = face.workspace()
    database = workspace.database
    chosen = [decide_id is not None, auto is not None, undo_last, redo_last]
    if sum(chosen) > 1:
        raise UsageError("one thing at a time: --decide, --auto, --undo or --redo", "call it once for each")
    if verb is not None and decide_id is None:
        raise UsageError(f"{verb.value} what?", f"simulee review --decide ID {verb.value}")
    actor = Actor("person", by or getpass.getuser())
    lines: list[str] = []
    items: list[dict[str, Any]] = []
    if decide_id is not None:
        if verb is None:
            raise UsageError("decide what?", "simulee review --decide ID accept|reject|edit|defer|flag")
        if verb == Verb.edit and not text.strip():
            raise UsageError("an edit needs its words", '--text "I remember…"')
        row = card(database, decide_id)
        decide(database, actor, [Decision(row.memory.uid, verb.value, reason, text if verb == Verb.edit else "")])
        lines.append(f"m{row.memory.id}: {verb.value}, by {actor.name}")
    elif auto is not None:
        accepted, rejected = decide_by_threshold(database, auto)
        lines.append(f"accepted {accepted}, rejected {rejected}, by the rule question-likelihood>={auto:g}")
    elif undo_last or redo_last:
        affected = (undo if undo_last else redo)(database, actor)
        lines.append(f"{'took back' if undo_last else 'brought back'} {len(affected)} decisions")
    elif not show_stats:
        for row in pending_memories(database)[: next_cards or 1]:
            items.append(_item(row))
            lines += _card(row)
    counts = stats(database)
    lines.append(
        f"{counts.pending} pending, {counts.accepted} accepted, {counts.rejected} rejected,"
        f" {counts.deferred} deferred, {counts.flagged} flagged"
    )
    face.result({**asdict(counts), "items": items}, lines)


def _item(row: ReviewRow) -> dict[str, Any]:
    return {
        "id": f"m{row.memory.id}",
        "uid": row.memory.uid,
        "question": row.question,
        "asker": row.asker,
        "date": row.conversation_date,
        "memory": row.edited or row.memory.text,
        "quote": row.memory.quote,
        "question_bits": row.question_bits,
        "answer_bits": row.answer_bits,
        "answer": row.answer,
        "state": row.state,
    }


def _card(row: ReviewRow) -> list[str]:
    gain = "" if row.answer_bits is None else f" · answer {row.answer_bits:+.2f} bits"
    return [
        f"m{row.memory.id}  {row.asker or 'someone'}, {row.conversation_date or 'undated'}: {row.question}",
        f"    {row.edited or row.memory.text}",
        f"    question {row.question_bits or 0:+.2f} bits{gain}",
        "",
    ]
