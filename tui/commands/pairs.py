"""``simulee pairs``: preference pairs, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.store.pairs import list_pairs
from core.training.preferences.launch import MAKE_ENTRY, MAKE_KIND
from core.twin.preferences import export_pairs, import_pairs
from tui.face import DONE_IN_PART, Face, command, group, table

app = group("Two answers to one question, and which is better.")

SHOWN_CHARACTERS = 44

_File = Annotated[Path, typer.Argument(metavar="F", help="JSON lines: prompt, chosen, rejected.")]


@command(app, "list")
def list_(face: Face) -> None:
    """Every pair, oldest first.

    Example: simulee pairs list
    """
    pairs = list_pairs(face.workspace().database)
    rows = [
        {
            "id": f"p{pair.id}", "uid": pair.uid, "question": pair.question, "left": pair.left, "right": pair.right,
            "origin": pair.origin, "state": pair.state, "preferred": pair.preferred,
        }
        for pair in pairs
    ]  # fmt: skip
    shown = [
        [row["id"], row["origin"], row["state"], row["preferred"], _short(row["question"]), _short(row["left"])]
        for row in rows
    ]
    heads = ("pair", "origin", "state", "better", "question", "left")
    face.result({"pairs": rows}, table(shown, heads) if rows else ["no pairs yet: c in Chat corrects an answer"])


@command(app)
def export(face: Face, file: _File) -> None:
    """Write the pairs that were decided: prompt, chosen, rejected.

    Example: simulee pairs export pairs.jsonl
    """
    count = export_pairs(face.workspace(), file)
    face.result({"pairs": count, "file": str(file)}, [f"{count} pairs in {file}"])


@command(app, "import")
def import_(face: Face, file: _File) -> None:
    """Bring in pairs; those that are there already are left alone.

    Example: simulee pairs import pairs.jsonl
    """
    done = import_pairs(face.workspace(), file)
    values = {"pairs": done.added, "known": done.known, "refused": len(done.refused), "issues": list(done.refused)}
    lines = [f"{done.added} pairs added, {done.known} known already, {len(done.refused)} refused"]
    face.result(values, lines + [f"  {each}" for each in done.refused[: None if face.verbose else 5]])
    if done.refused:
        raise typer.Exit(DONE_IN_PART)


@command(app)
def make(
    face: Face,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most N pairs.")] = 20,
    accept: Annotated[
        bool, typer.Option("--accept", help="Decide them at once, by rule, for what was really said.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Ask the twin what the target was asked in training, and put both answers to review.

    Example: simulee pairs make --limit 50
    """
    done = face.work(face.workspace(), MAKE_KIND, MAKE_ENTRY, {"limit": limit, "accept": accept}, detach)
    if done is not None:
        what = "decided for what was really said" if accept else "to review: simulee review"
        lines = [f"{done['pairs']} pairs made with {done['twin']}, {done['same']} alike; {what}"]
        if "not_cleared" in done:
            lines.append(f"{done['not_cleared']} questions rest on words that are not cleared for training any more")
        face.result(done, lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
