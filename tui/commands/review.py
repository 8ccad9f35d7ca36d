"""``simulee review``: decide on memories without a screen."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from core.atomic import write_atomically
from core.errors import UsageError
from core.review.blind import decide_by_measured_rule, draw
from core.review.carrying import export_decisions, import_decisions, to_line
from core.review.decisions import Actor, Decision, decide, redo, undo
from core.review.figures import review_figures
from core.review.queue import NextCard, card, stats
from core.review.queue import next_cards as cards_that_wait
from core.review.renewing import learn_from
from tui.face import DONE_IN_PART, Face, command
from tui.review_figures import BLIND_CARD, figure_lines, figures_told, rule_lines, rule_told

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
    blind: Annotated[
        int | None, typer.Option("--blind", min=1, metavar="N", help="Draw N memories to judge without figures.")
    ] = None,
    undo_last: Annotated[bool, typer.Option("--undo", help="Take back the last decision or batch.")] = False,
    redo_last: Annotated[bool, typer.Option("--redo", help="Bring it back.")] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; default: you.")] = "",
    show_stats: Annotated[bool, typer.Option("--stats", help="Only counts and figures.")] = False,
    export_to: Annotated[
        Path | None, typer.Option("--export", metavar="F", help="Write decisions as JSON lines.")
    ] = None,
    import_from: Annotated[
        Path | None, typer.Option("--import", metavar="F", help="Take decisions from a file.")
    ] = None,
) -> None:
    """Show, accept, reject or edit memories; every decision is kept with who made it.

    On a terminal and without options it opens the screen.

    --blind N draws memories at random and puts them at the head of the queue, shown without what judge or model say.
    --auto T accepts what reaches T and rejects the rest, as a rule by name, never as a person: only once your blind
    sample holds 30 verdicts at T or above, and it states the precision measured on them. T is the chance that you
    would accept, once a model has been learned from you; before, the judge's bits per question token.

    Example: simulee review --next 3; simulee review --decide m12 accept; simulee review --blind 60
    """
    workspace = face.workspace()
    database = workspace.database
    chosen = [
        decide_id is not None, auto is not None, blind is not None, undo_last, redo_last, bool(export_to),
        bool(import_from),
    ]  # fmt: skip
    if sum(chosen) > 1:
        raise UsageError(
            "one thing at a time: --decide, --auto, --blind, --undo, --redo, --export or --import",
            "call it once for each",
        )
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if on_terminal and not (any(chosen) or next_cards or show_stats or verb or face.json):
        from tui.app import Options, open_workbench
        from tui.keys import load_keymap

        raise typer.Exit(open_workbench(Options(workspace.root, "review"), load_keymap()))
    if verb is not None and decide_id is None:
        raise UsageError(f"{verb.value} what?", f"simulee review --decide ID {verb.value}")
    actor = Actor("person", by or getpass.getuser())
    lines: list[str] = []
    items: list[dict[str, Any]] = []
    carried_counts: dict[str, int] = {}
    more: dict[str, Any] = {}
    if decide_id is not None:
        if verb is None:
            raise UsageError("decide what?", "simulee review --decide ID accept|reject|edit|defer|flag")
        if verb == Verb.edit and not text.strip():
            raise UsageError("an edit needs its words", '--text "I remember…"')
        row = card(database, decide_id)
        # Whatever else is decided on words that were edited, they stay.
        words = text if verb == Verb.edit else row.edited
        decide(database, actor, [Decision(row.memory.uid, verb.value, reason, words)])
        learn_from(workspace, actor.name)
        lines.append(f"m{row.memory.id}: {verb.value}, by {actor.name}")
    elif auto is not None:
        learn_from(workspace, actor.name)
        report = decide_by_measured_rule(workspace, actor.name, auto)
        more["auto"] = rule_told(report)
        lines += rule_lines(report, actor.name)
    elif blind is not None:
        more["drawn"] = draw(database, actor.name, blind)
        lines.append(f"drew {more['drawn']} memories for {actor.name}'s blind sample; simulee review --next shows them")
    elif undo_last or redo_last:
        affected = (undo if undo_last else redo)(database, actor)
        lines.append(f"{'took back' if undo_last else 'brought back'} {len(affected)} decisions")
    elif export_to is not None:
        carried = list(export_decisions(workspace))
        write_atomically(export_to, "".join(to_line(each) + "\n" for each in carried))
        lines.append(f"{len(carried)} decisions in {export_to}")
        carried_counts = {"exported": len(carried)}
    elif import_from is not None:
        taken, same, refused = import_decisions(workspace, import_from)
        for each in refused[:20]:
            face.note(f"line {each.line}: {each.reason}")
        carried_counts = {"imported": taken, "same": same, "refused": len(refused)}
        lines.append(f"took {taken} decisions, {same} stood so already, {len(refused)} refused")
    elif not show_stats:
        for waiting in cards_that_wait(database, actor.name, next_cards or 1):
            items.append(_item(waiting))
            lines += _card(waiting)
    counts = stats(database)
    lines.append(
        f"{counts.pending} pending, {counts.accepted} accepted, {counts.rejected} rejected,"
        f" {counts.deferred} deferred, {counts.flagged} flagged"
    )
    if show_stats:
        found = review_figures(workspace, actor.name)
        more |= figures_told(found)
        lines += ["", *figure_lines(found, actor.name)]
    face.result({**asdict(counts), "items": items, **carried_counts, **more}, lines)
    if carried_counts.get("refused"):
        raise typer.Exit(DONE_IN_PART)


def _item(each: NextCard) -> dict[str, Any]:
    row = each.row
    return {
        "id": f"m{row.memory.id}",
        "uid": row.memory.uid,
        "question": row.question,
        "asker": row.asker,
        "date": row.conversation_date,
        "memory": row.edited or row.memory.text,
        "quote": row.memory.quote,
        "question_bits": None if each.blind else row.question_bits,
        "answer_bits": None if each.blind else row.answer_bits,
        "answer": row.answer,
        "state": row.state,
        "blind": each.blind,
    }


def _card(each: NextCard) -> list[str]:
    row = each.row
    gain = "" if row.answer_bits is None else f" · answer {row.answer_bits:+.2f} bits"
    judged = f"question {row.question_bits or 0:+.2f} bits{gain}"
    return [
        f"m{row.memory.id}  {row.asker or 'someone'}, {row.conversation_date or 'undated'}: {row.question}",
        f"    {row.edited or row.memory.text}",
        f"    {BLIND_CARD if each.blind else judged}",
        "",
    ]
