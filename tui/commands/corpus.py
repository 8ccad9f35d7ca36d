"""``simulee corpus``: look at what was imported."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.corpus.holdout import assigned_splits
from core.errors import UsageError
from core.store.conversations import exchanges_of, get_conversation, list_conversations, speaker_counts, turns_of
from core.store.counts import count_all
from core.store.documents import get_document, list_documents
from core.store.identity import row_number
from core.store.sources import list_sources
from tui.face import Face, command, group, table

app = group("Look at what is there.")


@command(app, "list")
def list_(face: Face) -> None:
    """Every document and conversation, oldest first.

    Example: simulee corpus list
    """
    workspace = face.workspace()
    database = workspace.database
    uses = {source.id: source.use for source in list_sources(database)}
    splits = assigned_splits(workspace)
    rows: list[dict[str, Any]] = [
        {"id": f"d{d.id}", "kind": d.kind, "date": d.date, "title": d.title, "use": uses[d.source_id], "split": ""}
        for d in list_documents(database)
    ] + [
        {"id": f"c{c.id}", "kind": "conversation", "date": c.date, "title": c.title, "use": uses[c.source_id],
         "split": splits.get(c.uid, "")}
        for c in list_conversations(database)
    ]  # fmt: skip
    face.result(
        {"corpus": rows},
        table([[str(value) for value in row.values()] for row in rows], tuple(rows[0]))
        if rows
        else ["nothing imported yet"],
    )


@command(app)
def show(face: Face, reference: Annotated[str, typer.Argument(metavar="ID", help="d12 or c3.")]) -> None:
    """Print a document or a conversation.

    Example: simulee corpus show d12
    """
    database = face.workspace().database
    if document := get_document(database, row_number(reference, "d")):
        face.result(asdict(document), [f"{document.title} · {document.date or 'undated'}", "", document.text])
        return
    if conversation := get_conversation(database, row_number(reference, "c")):
        turns = turns_of(database, conversation.id)
        values = asdict(conversation) | {
            "turns": [asdict(turn) for turn in turns],
            "exchanges": [asdict(exchange) for exchange in exchanges_of(database, conversation.id)],
        }
        lines = [f"{conversation.title} · {conversation.date or 'undated'}", ""]
        face.result(values, lines + [f"{turn.speaker}: {turn.text}" for turn in turns])
        return
    raise UsageError(f"no document or conversation {reference!r} here", "see `simulee corpus list`")


@command(app)
def stats(face: Face) -> None:
    """How much there is of everything, and who speaks.

    Example: simulee corpus stats
    """
    database = face.workspace().database
    counts = count_all(database)
    speakers = speaker_counts(database)
    values = {
        "documents": counts["document"],
        "conversations": counts["conversation"],
        "exchanges": counts["exchange"],
        "chunks": counts["chunk"],
        "proposals": 0,
        "speakers": [{"name": name, "turns": turns} for name, turns in speakers],
    }
    lines = [
        f"{counts[noun]:>7} {noun}s" for noun in ("source", "document", "conversation", "turn", "exchange", "chunk")
    ]
    face.result(values, lines + [f"{turns:>7} turns by {name}" for name, turns in speakers[:12]])
