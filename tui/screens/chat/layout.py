"""From a session to rows: questions, answers with their marks, and the notes folded under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.twin.transcript import Asking, Note, Said, Transcript
from tui.safe_text import safe_line
from tui.widgets.text import Part, badge, line
from tui.widgets.transcript import TalkRow, wrapped

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
UNSUPPORTED = "~ nothing I wrote supports this sentence"
STYLE = "° style: this sentence claims nothing"
LONGEST_NAME = 10
LONGEST_NOTE = 60


@dataclass(frozen=True, slots=True)
class Item:
    """What the cursor can be on: a question, an answer, or one of an answer's notes."""

    asking: Asking
    said: Said | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows and the items in them."""

    rows: tuple[TalkRow, ...] = ()
    items: tuple[Item, ...] = ()


def names_width(target: str, transcript: Transcript | None, speaker: str) -> int:
    """Columns for the names of who speaks."""
    names = [target, speaker, *(each.asker for each in transcript.asked)] if transcript else [target, speaker]
    return max(len(short_name(name)) for name in names) + 2


def short_name(name: str) -> str:
    """What stands before somebody's words: a first name, or ``you``."""
    first = safe_line(name).split(" ")[0] or "you"
    return first if len(first) <= LONGEST_NAME else first[: LONGEST_NAME - 1] + "…"


def lay_out(transcript: Transcript, target: str, width: int, indent: int, retry_key: str) -> Laid:
    """The rows of a session for a width. ``retry_key`` asks again."""
    rows: list[TalkRow] = []
    items: list[Item] = []
    for asking in transcript.asked:
        items.append(Item(asking))
        rows += question_rows(asking.question, asking.asker, width, indent, len(items) - 1)
        said = asking.answer
        if said is None:
            rows += wrapped(width, "", (f"no answer: {retry_key} asks again", "$warning"), indent=indent)
        else:
            rows += _answer_rows(asking, said, target, width, indent, items)
            for remark, style in _remarks(asking, said, retry_key):
                rows += wrapped(width, "", (remark, style), indent=indent)
        rows.append(TalkRow())
    return Laid(tuple(rows), tuple(items))


def question_rows(question: str, asker: str, width: int, indent: int, item: int = -1) -> list[TalkRow]:
    """A question with who asks it, and a blank line."""
    label = (short_name(asker), "bold $quiet")
    return [*wrapped(width, label, question, badge(question), indent=indent, item=item), TalkRow()]


def marked_text(said: Said) -> tuple[list[Part], list[Note]]:
    """An answer's words with a mark after each sentence, and the notes that the numbers stand for."""
    parts: list[Part] = []
    notes: list[Note] = []
    at = 0
    for note in said.notes:
        start = said.text.find(note.sentence, at)
        if start < 0:
            continue
        stop = start + len(note.sentence)
        parts.append(said.text[at:stop])
        at = stop
        if note.chunk is None:
            parts.append(("°", "$quiet") if note.style else ("~", "$warning"))
            continue
        known = next((place for place, each in enumerate(notes) if each.chunk == note.chunk), len(notes))
        if known == len(notes):
            notes.append(note)
        parts.append((str(known + 1).translate(SUPERSCRIPTS), "$accent"))
    parts.append(said.text[at:])
    return parts, notes


def note_words(number: int, note: Note) -> str:
    """A note folded to one line: its number, the passage's title and date."""
    title = safe_line(note.title) or "untitled"
    if len(title) > LONGEST_NOTE:
        title = title[: LONGEST_NOTE - 1] + "…"
    return f"{str(number).translate(SUPERSCRIPTS)} {title}, {safe_line(note.date) or 'undated'}"


def _answer_rows(asking: Asking, said: Said, target: str, width: int, indent: int, items: list[Item]) -> list[TalkRow]:
    parts, notes = marked_text(said)
    items.append(Item(asking, said))
    if not said.text:
        parts = [("it said nothing", "$quiet")]
    label = (short_name(target), "bold $primary")
    rows = wrapped(width, label, *parts, badge(said.text), indent=indent, item=len(items) - 1)
    packed: list[list[tuple[int, str]]] = []
    used = width
    for number, note in enumerate(notes, start=1):
        items.append(Item(asking, said, note))
        text = note_words(number, note)
        if used + len(text) + 3 > width - indent - 1:
            packed.append([])
            used = 0
        packed[-1].append((len(items) - 1, text))
        used += len(text) + 3
    rows += [TalkRow(line(" " * indent), notes=tuple(each)) for each in packed]
    unsupported = [note.style for note in said.notes if note.chunk is None]
    for words, is_there in ((UNSUPPORTED, False in unsupported), (STYLE, True in unsupported)):
        if is_there:
            rows += wrapped(width, "", (words, "$quiet"), indent=indent)
    return rows


def _remarks(asking: Asking, said: Said, retry_key: str) -> Sequence[tuple[str, str]]:
    remarks = []
    if said.stopped:
        remarks.append(("– stopped before its end", "$quiet"))
    elif said.broken:
        remarks.append((f"! it broke off: {retry_key} asks again", "$warning"))
    elif said.settings.get("finish") == "length":
        remarks.append(("… cut at its longest", "$quiet"))
    if said.fell_back:
        remarks.append((f"↩ fell back: {said.fell_back}", "$warning"))
    if len(asking.answers) > 1:
        remarks.append((f"answer {asking.standing + 1} of {len(asking.answers)}", "$quiet"))
    if said.rating:
        remarks.append(("✓ you called it good", "$success") if said.rating > 0 else ("✗ you called it bad", "$error"))
    if said.correction:
        remarks.append((f"✎ you corrected it: {said.correction}", "$accent"))
    return remarks
