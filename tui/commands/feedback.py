"""``simulee feedback``: what a person makes of the twin's answers, from the shell."""

from __future__ import annotations

import getpass
import re
from dataclasses import asdict
from typing import Annotated

import typer

from core.errors import UsageError
from core.review.decisions import Actor
from core.store.statements import statements
from core.twin.preferences import Side, compare, correct, rate
from core.twin.statements import never_say, state_fact, take_back
from tui.face import Face, command, group, table
from tui.safe_text import safe_line

app = group("Rate, correct and compare answers; say what is so, and what is never to be said.")

RATINGS = {"good": 1, "bad": -1, "none": 0}
BETTER: dict[str, Side | None] = {"first": "left", "second": "right", "neither": None}

_Answer = Annotated[str, typer.Argument(metavar="ANSWER", help="The number that `simulee chat --json` calls message.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; default: who is logged in.")]


@command(app, "rate")
def rate_(face: Face, answer: _Answer, rating: Annotated[str, typer.Argument(metavar="good|bad|none")]) -> None:
    """Call an answer good or bad, or take that back.

    Example: simulee feedback rate 12 good
    """
    value = RATINGS.get(rating)
    if value is None:
        raise UsageError(f"{rating!r} is no rating", f"one of {', '.join(RATINGS)}")
    rate(face.workspace(), _number(answer), value)
    face.result({"answer": _number(answer), "rating": value}, [f"answer {_number(answer)}: {rating}"])


@command(app, "correct")
def correct_(face: Face, answer: _Answer, text: Annotated[str, typer.Argument(metavar="TEXT")], by: _By = "") -> None:
    """Say what an answer should have been; it becomes a pair that prefers your words.

    Example: simulee feedback correct 12 "I sold the last chart in 2019."
    """
    uid = correct(face.workspace(), _actor(by), _number(answer), text)
    face.result({"pair": uid}, ["kept as a pair that prefers your words"])


@command(app, "compare")
def compare_(
    face: Face,
    first: _Answer,
    second: _Answer,
    better: Annotated[str, typer.Argument(metavar="first|second|neither")],
    by: _By = "",
) -> None:
    """Say which of two answers to one question is better; it becomes a pair.

    Example: simulee feedback compare 12 13 second
    """
    if better not in BETTER:
        raise UsageError(f"{better!r} is no choice", f"one of {', '.join(BETTER)}")
    uid = compare(face.workspace(), _actor(by), _number(first), _number(second), BETTER[better])
    face.result({"pair": uid}, ["kept as a pair" if better != "neither" else "kept as a pair in which both are bad"])


@command(app)
def fact(
    face: Face,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="As the target would say it.")],
    since: Annotated[str, typer.Option("--since", metavar="D", help="When it began to hold; default: always.")] = "",
    instead_of: Annotated[str, typer.Option("--instead-of", metavar="TEXT", help="What was wrong.")] = "",
    answer: Annotated[str, typer.Option("--answer", metavar="ANSWER", help="The answer that was wrong.")] = "",
    by: _By = "",
) -> None:
    """Tell the twin what is so: it outranks every memory.

    Example: simulee feedback fact "I sold the boat in 2019." --since 2019
    """
    row = state_fact(face.workspace(), _actor(by).name, text, since, instead_of, _number(answer) if answer else None)
    face.result(asdict(row), [f"s{row.id}: {safe_line(row.text)}{', since ' + row.date if row.date else ''}"])


@command(app)
def never(
    face: Face,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="These words, in this order.")],
    answer: Annotated[str, typer.Option("--answer", metavar="ANSWER", help="The answer that said them.")] = "",
    by: _By = "",
) -> None:
    """Let the twin never say these words.

    Example: simulee feedback never "as an AI"
    """
    row = never_say(face.workspace(), _actor(by).name, text, _number(answer) if answer else None)
    face.result(asdict(row), [f"s{row.id}: never {safe_line(row.text)!r}"])


@command(app, "list")
def list_(face: Face) -> None:
    """What was stated and still holds.

    Example: simulee feedback list
    """
    rows = statements(face.workspace().database)
    shown = [[f"s{row.id}", row.kind, row.date, row.actor, safe_line(row.text)] for row in rows]
    heads = ("id", "kind", "since", "by", "words")
    face.result(
        {"statements": [asdict(row) for row in rows]},
        table(shown, heads) if rows else ["nothing was stated yet: simulee feedback fact, or /wrong in Chat"],
    )


@command(app)
def remove(face: Face, statement: Annotated[str, typer.Argument(metavar="ID")], by: _By = "") -> None:
    """Take a statement back.

    Example: simulee feedback remove s3
    """
    row = take_back(face.workspace(), _actor(by).name, statement)
    face.result({"statement": row.uid}, [f"s{row.id} holds no more: {safe_line(row.text)}"])


def _actor(name: str) -> Actor:
    return Actor("person", name or getpass.getuser())


def _number(answer: str) -> int:
    found = re.fullmatch(r"m?(\d{1,18})", answer)
    if found is None:
        raise UsageError(f"{answer!r} is not an answer", "name it by its number: simulee chat --once … --json")
    return int(found[1])
