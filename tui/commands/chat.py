"""``simulee chat``: talk with the twin, once or in a loop."""

from __future__ import annotations

import io
import random
import sys
from typing import Annotated, Any

import typer

from core.errors import UsageError
from core.twin.chat import Answer, ChatOptions, Twin
from core.twin.receipts import shown_title
from core.twin.speech import Manner
from tui.face import Face, command
from tui.missed import missed_lines
from tui.safe_text import safe, safe_line

app = typer.Typer(rich_markup_mode=None)


@command(app)
def chat(
    face: Face,
    once: Annotated[
        str | None, typer.Option("--once", metavar="TEXT", help="Ask this, print the answer, leave.")
    ] = None,
    as_of: Annotated[str, typer.Option("--as-of", metavar="D", help="Talk with the person of that date.")] = "",
    no_memories: Annotated[bool, typer.Option("--no-memories", help="Recall nothing.")] = False,
    adapter: Annotated[str | None, typer.Option("--adapter", help="Default: the one in use; base for none.")] = None,
    speaker: Annotated[str, typer.Option("--speaker", metavar="NAME", help="Who you are to them.")] = "",
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed gives the same answer.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, max=2.0)] = 0.7,
) -> None:
    """Talk with the twin. Under each answer stand the passages it rests on.

    Example: simulee chat --once "Do you still keep the old charts?" --as-of 2019
    """
    workspace = face.workspace()
    if once is not None and not once.strip():
        raise UsageError("there is no question", 'simulee chat --once "…"')
    manner = Manner(temperature=temperature, seed=random.randrange(2**31) if seed is None else seed)  # noqa: S311
    face.note(f"waking {workspace.target}…")
    twin = Twin(workspace, ChatOptions(adapter, not no_memories, as_of, speaker, manner))
    try:
        if once is not None:
            answer = _answer(face, twin, once, streamed=not face.json)
            if face.json:
                face.result(_values(answer))
            return
        if face.json:
            raise UsageError("--json needs --once", 'simulee chat --once "…" --json')
        _loop(face, twin)
    finally:
        twin.close()


def _loop(face: Face, twin: Twin) -> None:
    """Read questions until the end of input; an empty line is passed over."""
    prompted = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if prompted:
        face.note("Ctrl+D leaves.")
    while True:
        if prompted:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            _answer(face, twin, line.strip(), streamed=True)


def _answer(face: Face, twin: Twin, question: str, streamed: bool) -> Answer:
    for piece in twin.answer(question):
        if isinstance(piece, Answer):
            for line in missed_lines(piece.missed):
                face.note(line)
            if streamed:
                sys.stdout.write("\n")
                for line in _receipts(piece):
                    face.note(line)
            return piece
        if streamed:
            sys.stdout.write(safe(piece))
            sys.stdout.flush()
    raise AssertionError("an answer always ends with its record")


def _receipts(answer: Answer) -> list[str]:
    """The passages that support an answer, and how many of its sentences none does."""
    lines = []
    for receipt in answer.receipts:
        if receipt.source is not None:
            passage = receipt.source.found.passage
            place = f"{safe_line(shown_title(passage))}, {passage.date or 'undated'}"
            lines.append(f"  · {place} (k{passage.chunk.id}, {receipt.score:.2f})")
    lines = list(dict.fromkeys(lines))
    kinds = [receipt.kind for receipt in answer.receipts]
    unsupported, style = kinds.count("unsupported"), kinds.count("style")
    if not lines and unsupported == len(kinds):
        return ["  ~ nothing that was recalled supports this"]
    if unsupported:
        lines.append(f"  ~ unsupported: {unsupported} of {len(kinds)} sentences")
    if style:
        lines.append(f"  ° style only: {style} of {len(kinds)} sentences")
    return lines


def _values(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "missed": list(answer.missed),
        "receipts": [
            {
                "sentence": receipt.sentence,
                "kind": receipt.kind,
                "chunk": f"k{receipt.source.found.passage.chunk.id}" if receipt.source else None,
                "date": receipt.source.found.passage.date if receipt.source else None,
                "score": receipt.score,
            }
            for receipt in answer.receipts
        ],
        "memories": [
            {
                "chunk": f"k{each.found.passage.chunk.id}",
                "title": shown_title(each.found.passage),
                "date": each.found.passage.date,
                # What may be recalled but not shown keeps its words to itself here too.
                "text": each.retold.text if each.found.passage.use == "train" else None,
            }
            for each in answer.recollections
        ],
        "message": answer.message_id,
    }
