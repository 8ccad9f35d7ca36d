"""``simulee sessions``: what was said to the twin: kept, found, written to files, and brought back as conversations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from core.errors import UsageError
from core.store.session_search import Excerpt, excerpts
from core.store.sessions import SessionRow, find_session, list_sessions
from core.twin.session_files import export_session, session_number
from tui.face import DONE_IN_PART, Face, command, group, table
from tui.moments import local

app = group("What was said to the twin.")

SHOWN_CHARACTERS = 60

_Id = Annotated[str, typer.Argument(metavar="ID", help="s12, or 12.")]
_Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]


@command(app, "list")
def list_(face: Face, limit: _Limit = 500) -> None:
    """Every session; the one talked in last comes first.

    Example: simulee sessions list
    """
    rows = list_sessions(face.workspace().database, limit=limit)
    face.result({"sessions": [_values(row) for row in rows]}, _table(rows) or ["no sessions yet: simulee chat"])


@command(app)
def search(face: Face, words: Annotated[list[str], typer.Argument(metavar="WORDS…")], limit: _Limit = 20) -> None:
    """Sessions in which all of these words were said, by anybody; the beginning of a word will do.

    Example: simulee sessions search tide charts
    """
    database = face.workspace().database
    asked = [word for each in words for word in each.split()]
    if not asked:
        raise UsageError("there is nothing to look for", "simulee sessions search WORDS")
    rows = list_sessions(database, asked, limit)
    said = excerpts(database, [row.id for row in rows], asked)
    values = [_values(row) | {"said": asdict(said[row.id]) if row.id in said else None} for row in rows]
    face.result({"sessions": values}, _table(rows, said) or ["no session holds these words"])


@command(app)
def show(face: Face, session: _Id) -> None:
    """One session, as it reads.

    Example: simulee sessions show s12
    """
    from core.twin.transcript import as_markdown, load_transcript

    workspace = face.workspace()
    transcript = load_transcript(workspace, session_number(session))
    values = _values(transcript.session) | {
        "exchanges": [
            {
                "question": asking.question, "asker": asking.asker, "at": asking.at, "standing": asking.standing,
                "answers": [
                    {
                        "message": said.message_id, "text": said.text, "at": said.at, "rating": said.rating,
                        "correction": said.correction, "stopped": said.stopped,
                        "broken": said.broken,
                        "receipts": [
                            {"sentence": note.sentence, "chunk": None if note.chunk is None else f"k{note.chunk}",
                             "title": note.title, "date": note.date, "score": note.score}
                            for note in said.notes
                        ],
                    }
                    for said in asking.answers
                ],
            }
            for asking in transcript.asked
        ]
    }  # fmt: skip
    face.result(values, as_markdown(transcript, workspace.target).splitlines())


@command(app)
def export(
    face: Face,
    session: _Id,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="markdown, messages or sillytavern")],
    out: Annotated[Path | None, typer.Option("--out", metavar="F", help="Default: a file in exports/.")] = None,
) -> None:
    """Write a session to a file that other programs read.

    Example: simulee sessions export s12 --to sillytavern --out talk.jsonl
    """
    path = export_session(face.workspace(), session_number(session), to, out.absolute() if out else None)
    face.result({"format": to, "file": str(path)}, [str(path)])


@command(app, "import")
def import_(
    face: Face,
    session: _Id,
    use: Annotated[
        Literal["train", "recall"] | None, typer.Option("--use", help="What its words may be used for.")
    ] = None,
    answers: Annotated[
        Literal["none", "corrected"],
        typer.Option("--answers", help="Which answers are the target's: those corrected or called good, or none."),
    ] = "none",
) -> None:
    """Make a session a conversation of the corpus. What the twin said is not the target's unless you say so.

    Example: simulee sessions import s12 --use recall --answers corrected
    """
    number = session_number(session)
    if use is None:
        raise UsageError(
            "a talk becomes part of the corpus only by your word: say what its words may be used for",
            "--use recall: they can be recalled, and are never trained on; --use train: both",
        )
    from core.twin.session_import import LEFT_OUT, import_session

    workspace = face.workspace()
    done = import_session(workspace, number, use, answers)
    values = asdict(done) | {
        "conversation": None if done.conversation is None else f"c{done.conversation}",
        "use": use,
        "left_out": [{"reason": LEFT_OUT[why], "questions": count} for why, count in done.left_out.items()],
    }
    face.result(values, [_told(number, workspace.target, done.exchanges, done.conversation, done.outcome, use)])
    for why, count in done.left_out.items():
        face.note(f"  left out: {count} {LEFT_OUT[why]}")
    if answers == "none" and not done.exchanges:
        face.note("  --answers corrected makes those answers theirs that were corrected or called good")
    elif done.exchanges:
        face.note("  simulee embed makes it found")
    if done.left_out.get("recall only"):
        raise typer.Exit(DONE_IN_PART)


@command(app)
def remove(face: Face, session: _Id) -> None:
    """Remove a session for good; pairs made of its answers stay, and so does what was imported of it.

    Example: simulee sessions remove s12
    """
    from core.twin.preferences import forget_session

    workspace = face.workspace()
    number = session_number(session)
    if find_session(workspace.database, number) is None:
        raise UsageError(f"there is no session {number} here", "`simulee sessions list` shows their ids")
    forget_session(workspace, number)
    face.result({"removed": f"s{number}"}, [f"session s{number} is gone"])


def _told(number: int, target: str, exchanges: int, conversation: int | None, outcome: str, use: str) -> str:
    if conversation is None:
        return f"session s{number} holds nothing of {target}'s any more: its conversation is gone"
    how = {"added": "is now", "changed": "changed", "same": "is already"}[outcome]
    what = f"{exchanges} answers of {target}'s" if exchanges else f"no words of {target}'s in it"
    return f"session s{number} {how} c{conversation}: {what}; use: {use}"


def _values(row: SessionRow) -> dict[str, Any]:
    return asdict(row) | {"id": f"s{row.id}"}


def _table(rows: list[SessionRow], said: dict[int, Excerpt] | None = None) -> list[str]:
    heads = ("session", "last", "as of", "adapter", "questions", "first" if said is None else "said")
    shown = [
        [f"s{row.id}", local(row.last_at), row.as_of, row.adapter, str(row.questions),
         _short(row.first if said is None or row.id not in said else said[row.id].text)]
        for row in rows
    ]  # fmt: skip
    return table(shown, heads) if rows else []


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
