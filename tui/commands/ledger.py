"""``simulee ledger``: what was sent to a model, where, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.store.model_calls import call_totals, recent_calls
from tui.face import Face, command, table
from tui.moments import local

app = typer.Typer(rich_markup_mode=None)

HERE = "this machine"


@command(app)
def ledger(
    face: Face,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many of the last calls.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="Calls of this machine's own models too.")] = False,
) -> None:
    """The last calls that went to a server, and what every host got in all.

    Example: simulee ledger -n 50
    """
    database = face.workspace().database
    calls = recent_calls(database, limit, sent_only=not every)
    totals = [total for total in call_totals(database) if every or total.host]
    sends = [
        {
            "id": call.id, "at": call.started_at, "host": call.host, "role": call.role, "model": call.model,
            "purpose": call.purpose, "bytes": call.bytes, "documents": len(call.about), "about": list(call.about),
            "outcome": call.outcome, "prompt_tokens": call.prompt_tokens, "answer_tokens": call.answer_tokens,
            "cost": call.cost, "run": call.run,
        }
        for call in calls
    ]  # fmt: skip
    shown = [
        [
            local(call.started_at), call.host or HERE, call.role, call.purpose, f"{call.bytes:,}",
            str(len(call.about)), call.outcome,
        ]
        for call in calls
    ]  # fmt: skip
    summed = [
        [
            total.host or HERE, total.role, f"{total.calls:,}", f"{total.bytes:,}", f"{total.documents:,}",
            f"{total.unknown:,}", f"{total.prompt_tokens:,}", f"{total.answer_tokens:,}", f"{total.cost:.4f}",
        ]
        for total in totals
    ]  # fmt: skip
    lines = ["nothing was sent to any server"]
    if shown or summed:
        lines = table(shown, ("when", "host", "role", "purpose", "bytes", "texts", "outcome"))
        lines += ["", *table(summed, ("in all", "role", "calls", "bytes", "texts", "unknown", "prompt tokens",
                                      "answer tokens", "cost"))]  # fmt: skip
    face.result({"sends": sends, "totals": [asdict(total) for total in totals]}, lines)
