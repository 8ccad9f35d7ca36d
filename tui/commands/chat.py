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
from core.twin.saying import Saying, voice_command
from core.twin.speech import Manner
from tui.face import Face, command
from tui.hybrid_words import fall_back_lines, hybrid_values, simulation_lines
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
    say: Annotated[
        str | None, typer.Option("--say", metavar="CMD", help="A voice: each finished sentence goes to its input.")
    ] = None,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="Merge facts from memory with a simulated chat; slower, verified.")
    ] = False,
    show_simulation: Annotated[
        bool, typer.Option("--show-simulation", help="With --hybrid: show the simulated chat under the answer.")
    ] = False,
) -> None:
    """Talk with the twin. Under each answer stand the passages it rests on.

    Example: simulee chat --once "Do you still keep the old charts?" --as-of 2019
    """
    workspace = face.workspace()
    if once is not None and not once.strip():
        raise UsageError("there is no question", 'simulee chat --once "…"')
    saying = Saying(voice_command(say)) if say is not None else None
    if show_simulation and not hybrid:
        raise UsageError("--show-simulation needs --hybrid", 'simulee chat --hybrid --show-simulation --once "…"')
    manner = Manner(temperature=temperature, seed=random.randrange(2**31) if seed is None else seed)  # noqa: S311
    face.note(f"waking {workspace.target}…")
    options = ChatOptions(
        adapter, not no_memories, as_of, speaker, manner, hybrid, tell=lambda what: face.note(f"{what}…")
    )
    twin = Twin(workspace, options)
    try:
        if seed is not None and not twin.repeatable:
            face.note(f"--seed is sent, and {twin.engine} does not promise the same answer for it")
        if once is not None:
            answer = _answer(face, twin, once, not face.json, saying, show_simulation)
            if face.json:
                face.result(_values(answer) | hybrid_values(answer.hybrid, show_simulation))
        elif face.json:
            raise UsageError("--json needs --once", 'simulee chat --once "…" --json')
        else:
            _loop(face, twin, saying, show_simulation)
        if saying:
            saying.wait()
            _tell_troubles(face, saying)
    except BaseException:
        if saying:
            saying.stop()
            saying.wait()
        raise
    finally:
        twin.close()


def _loop(face: Face, twin: Twin, saying: Saying | None, show_simulation: bool) -> None:
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
            _answer(face, twin, line.strip(), True, saying, show_simulation)


def _answer(
    face: Face, twin: Twin, question: str, streamed: bool, saying: Saying | None, show_simulation: bool
) -> Answer:
    for piece in twin.answer(question):
        if isinstance(piece, Answer):
            if saying:
                saying.finish()
            if streamed:
                sys.stdout.write("\n")
                sys.stdout.flush()
            for line in [*missed_lines(piece.missed), *fall_back_lines(piece.hybrid)]:
                face.note(line)
            if streamed:
                for line in [*_receipts(piece), *(simulation_lines(piece.hybrid) if show_simulation else [])]:
                    face.note(line)
            if saying:
                _tell_troubles(face, saying)
            return piece
        if saying:
            saying.hear(piece)
        if streamed:
            sys.stdout.write(safe(piece))
            sys.stdout.flush()
    raise AssertionError("an answer always ends with its record")


def _tell_troubles(face: Face, saying: Saying) -> None:
    for line in saying.troubles():
        face.note(line)


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
