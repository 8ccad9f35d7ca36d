"""The boxes over a talk: a receipt, a correction, two answers side by side, the sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll

from core.twin.receipts import shown_title
from core.twin.transcript import Note
from tui.moments import local
from tui.safe_text import safe_line
from tui.screens.chat.talk import Live
from tui.widgets.boxes import Box, ShowBox
from tui.widgets.editing import EditInPlace
from tui.widgets.inputs import Field
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words, badge

if TYPE_CHECKING:
    from core.retrieval.search import Found
    from core.store.sessions import SessionRow

LOOK_SECONDS = 0.1
PRIVATE = "This passage may be recalled, and its words are not shown."
SEARCH_PAUSE = 0.15
"""Seconds without a key before a search begins."""


def receipt_box(note: Note) -> ShowBox:
    """A passage that a sentence rests on, with what was recalled of it."""
    lines: list[list[Part]] = [
        [(f"{safe_line(note.title) or 'untitled'} · {safe_line(note.date) or 'undated'}", "bold"), badge(note.title)],
        [(f"k{note.chunk} · support {note.score:.2f} for:", "$quiet")],
        [(note.sentence, "italic")],
        [""],
    ]
    if note.private:
        lines.append([(PRIVATE, "$warning")])
    else:
        start, stop = note.quote_start, note.quote_stop
        lines.append([
            note.passage[:start], (note.passage[start:stop], "bold $accent"), note.passage[stop:], badge(note.passage),
        ])  # fmt: skip
    return ShowBox("A receipt", lines)


def passages_box(words: str, found: Sequence[Found], by: str) -> ShowBox:
    """What a search found."""
    lines: list[list[Part]] = [[(f"{by}: {words}", "$quiet")]]
    for hit in found:
        passage = hit.passage
        head = f"{hit.rank}  {safe_line(shown_title(passage))} · {passage.date or 'undated'} · k{passage.chunk.id}"
        shown: list[Part] = [(PRIVATE, "$warning")]
        if passage.use == "train":
            shown = [passage.chunk.text, badge(passage.chunk.text)]
        lines += [[""], [(head, "bold")], shown]
    return ShowBox("Passages" if found else "Nothing was found", lines)


class CorrectBox(Box[str]):
    """What an answer should have been. Enter keeps it, escape keeps nothing."""

    def __init__(self, question: str, answer: str) -> None:
        super().__init__("What should the answer have been?")
        self._question, self._answer = question, answer

    def inside(self) -> ComposeResult:
        yield Words((self._question, "$quiet"))
        yield EditInPlace(self._answer)
        yield Words(("enter keeps it as a pair that prefers your words · esc keeps nothing", "$quiet"))

    def opened(self) -> None:
        page = self.query_one(EditInPlace)
        self.set_focus(page)
        page.move_cursor(page.document.end)

    def on_edit_in_place_accepted(self, event: EditInPlace.Accepted) -> None:
        event.stop()
        self.dismiss(event.text)

    def on_edit_in_place_left(self, event: EditInPlace.Left) -> None:
        event.stop()
        self.dismiss(None)


class CompareBox(Box[str]):
    """Two answers side by side: ``left``, ``right``, ``neither``, or None where nobody chose."""

    BINDINGS = [
        Binding("1,left", "choose('left')", show=False),
        Binding("2,right", "choose('right')", show=False),
        Binding("0", "choose('neither')", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, question: str, left: str, live: Callable[[], Live | None]) -> None:
        super().__init__("Which answer is nearer to the person?")
        self._question, self._left, self._live = question, left, live

    def inside(self) -> ComposeResult:
        yield Words((self._question, "$quiet"))
        with Horizontal():
            with VerticalScroll():
                yield Words(("1  ", "bold $accent"), self._left)
            with VerticalScroll():
                yield Words(id="right")
        yield Words(id="how")

    def opened(self) -> None:
        self._draw()
        self.set_interval(LOOK_SECONDS, self._draw)

    def _draw(self) -> None:
        live = self._live()
        if live is None or not self.is_open:
            return
        words: Part = live.text or (f"{live.state}…", "$quiet")
        if live.error is not None:
            words = (f"✗ {live.error.message}; {live.error.hint}", "$error")
        self.query_one("#right", Words).put(("2  ", "bold $accent"), words)
        ready = live.over and live.message_id is not None
        how = "1 or ← left · 2 or → right · 0 both bad · esc leaves it open" if ready else "esc stops it"
        self.query_one("#how", Words).put((how, "$quiet"))

    def action_choose(self, side: str) -> None:
        """Prefer one, once both are whole."""
        live = self._live()
        if live is not None and live.over and live.message_id is not None:
            self.dismiss(side)

    def action_scroll(self, step: int) -> None:
        """Both columns."""
        for column in self.query(VerticalScroll):
            column.scroll_relative(y=step, animate=False)


Find = Callable[[list[str]], Coroutine[Any, Any, "list[SessionRow]"]]


class SessionsBox(Box[int]):
    """Every session, searched by what was said in it. Enter opens the one under the cursor."""

    def __init__(self, find: Find, current: int | None, words: str = "") -> None:
        super().__init__("Sessions")
        self._find = find
        self._current = current
        self._words = words
        self._rows: list[SessionRow] = []

    def inside(self) -> ComposeResult:
        yield Field(self._words, placeholder="words that were said")
        yield LineList(empty="")
        yield Words(("type to search · ↑ ↓ move · enter opens · esc closes", "$quiet"))

    def opened(self) -> None:
        self.set_focus(self.query_one(Field))
        self._search(0.0)

    def on_input_changed(self, event: Field.Changed) -> None:
        event.stop()
        if self.is_open:
            self._search(SEARCH_PAUSE)

    def _search(self, pause: float) -> None:
        words = self.query_one(Field).value.split()

        async def search() -> None:
            await asyncio.sleep(pause)
            self._rows = await self._find(words)
            places = [place for place, row in enumerate(self._rows) if row.id == self._current]
            self.query_one(LineList).empty = "no session holds these words" if words else "no sessions yet"
            self.query_one(LineList).fill(len(self._rows), self._row, places[0] if places else 0)

        self.run_worker(search(), exclusive=True, exit_on_error=False)

    def _row(self, place: int) -> list[Part]:
        row = self._rows[place]
        here = ("▶ ", "bold $accent") if row.id == self._current else "  "
        when = local(row.last_at)
        as_of = f" · as of {row.as_of}" if row.as_of else ""
        return [here, (f"{row.id:>3}  ", "bold"), (f"{when}  ", "$quiet"), f"{row.questions:>3}  ", row.first,
                (as_of, "$quiet")]  # fmt: skip

    def on_key(self, event: events.Key) -> None:
        """The list moves while one types."""
        listed = self.query_one(LineList)
        moves = {"down": 1, "up": -1, "pagedown": listed.size.height - 1, "pageup": 1 - listed.size.height}
        if event.key in moves:
            event.stop()
            event.prevent_default()
            listed.go_to(listed.cursor + moves[event.key])

    def on_input_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self._choose(self.query_one(LineList).cursor)

    def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        self._choose(event.place)

    def _choose(self, place: int) -> None:
        if place < len(self._rows):
            self.dismiss(self._rows[place].id)
