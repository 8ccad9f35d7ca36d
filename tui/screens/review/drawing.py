"""What the parts of the review screen share: the sitting, and how it is drawn."""

from __future__ import annotations

import getpass
from typing import Any

from textual import on
from textual.content import Content

from core.review.decisions import Actor, CardKind
from core.store.review_queue import Card
from tui.review_figures import agrees, foretelling, time_left
from tui.screens.review.cards import GLYPHS, label, layout, row_words
from tui.screens.review.session import ReviewSession
from tui.screens.stage import Stage
from tui.widgets.card_view import CardView
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words, words

KINDS: tuple[CardKind, ...] = ("memory", "pair", "proposal")
NAMES = {"memory": "memories", "pair": "pairs", "proposal": "proposals"}


class Drawing(Stage):
    """The card, the numbers above it, the decisions below it, and the list."""

    def __init__(self) -> None:
        super().__init__()
        self._session: ReviewSession | None = None
        self._answer_shown = False
        self._auto_advance = True
        self._paint = 0
        self._painted: tuple[CardKind, int] | None = None
        """What stood there when it was asked about: kind and row."""
        self._keys_for: str | None = None
        """The kind of card that the footer's keys are for; empty without a card."""
        self._laid: tuple[tuple[Any, ...], list[Content]] | None = None
        """A card with all that its layout depends on, and its lines."""
        self._is_renewing = False

    @property
    def session(self) -> ReviewSession:
        """The sitting; made at the first use."""
        if self._session is None:
            self._session = ReviewSession(self.bench, Actor("person", getpass.getuser()))
        return self._session

    def draw(self) -> None:
        """Paint the card one stands at, and ask the terminal to confirm it."""
        session = self.session
        self._draw_header()
        view = self.query_one(CardView)
        card = session.card
        if (sort := session.kind if card else "") != self._keys_for:
            self._keys_for = sort
            self.keys_changed()
        if view.size.width == 0:
            pass  # Out of sight: it is laid out when it is seen.
        elif card is None:
            view.show(self._empty())
        else:
            view.show(self._laid_out(card))
        self._draw_recent()
        self._will_be_seen()
        self.bench.do(session.read_ahead, exclusive="read ahead")

    def _laid_out(self, card: Card) -> list[Content]:
        """The lines of a card as it is shown now; kept until others are asked for."""
        size, key = self.query_one(CardView).size, self.bench.keymap["review.answer"].shown_key
        how = (card, size.width, size.height, self._answer_shown, key, agrees(self.session.figures))
        if self._laid is None or self._laid[0] != how:
            self._laid = (how, layout(*how))
        return self._laid[1]

    def _will_be_seen(self) -> None:
        """What one stands at now takes decisions once the terminal has confirmed it."""
        self._painted = self.session.standing
        self._paint = self.bench.proof.asked + 1
        self.call_after_refresh(self._ask_for_proof)

    def _ask_for_proof(self) -> None:
        self._paint = self.bench.proof.ask()
        self.call_later(self._lay_out_ahead)

    def _lay_out_ahead(self) -> None:
        """While the person reads: the next card, line by line, so that a key has only to show it."""
        if not self.is_attached:
            return  # Another workspace was opened meanwhile.
        session, view = self.session, self.query_one(CardView)
        walk = session.walk
        ahead = walk.next_pending(session.place) if walk is not None and self._auto_advance else session.place + 1
        card = session.card_at_hand(ahead) if ahead is not None else None
        if card is not None and view.size.width:
            view.paint_ahead(self._laid_out(card))

    def _empty(self) -> list[Any]:
        session = self.session
        keymap = self.bench.keymap
        if session.filter_text:
            return [words("Nothing in this queue matches. ", (keymap["review.filter"].shown_key, "bold $accent"),
                          " changes the filter.")]  # fmt: skip
        if session.kind != "memory":
            return [words(f"No {NAMES[session.kind]} wait. ", (keymap["review.queue"].shown_key, "bold $accent"),
                          " goes to another queue.")]  # fmt: skip
        if session.walk is not None and session.walk.total:
            return [
                words(("Every memory is decided. ", "bold $success")),
                words((f" {keymap['review.undo'].shown_key} ", "bold $accent"), "takes back the last decision; ",
                      (keymap["review.filter"].shown_key, "bold $accent"), " state:all shows all; ",
                      (keymap["app.dataset"].shown_key, "bold $accent"), " the dataset."),
            ]  # fmt: skip
        return [
            words("No memories yet: recall writes them, for every question the target was asked."),
            words((f" {keymap['review.recall'].shown_key} ", "bold $accent"), "starts it."),
        ]

    def _draw_header(self) -> None:
        session = self.session
        walk = session.walk
        if walk is None:
            return
        counts = walk.counts
        decided = counts["accepted"] + counts["rejected"]
        left = walk.total - decided
        what = session.filter_text or "all"
        queue = "" if session.kind == "memory" else f"{NAMES[session.kind]} · "
        order = f" · by {session.order}" if session.kind == "memory" else ""
        right = f"{decided:,}/{walk.total:,}"
        if decided:
            right += f" · {counts['accepted'] / decided:.0%} kept"
        if each := session.seconds_each:
            right += f" · {60 / each:.0f}/min · about {time_left(left * each)}"
        place = f" · {session.place + 1:,} of {len(walk.ids):,}" if walk.ids else ""
        ranged = f" · range of {len(session.chosen())}" if session.anchor is not None else ""
        lead = f" {queue}{what}{order}{place}{ranged}"
        gap = max(2, self.query_one("#header").size.width - len(lead) - len(right) - 1)
        self.query_one("#header", Words).put((lead, "bold"), " " * gap, (right, "$quiet"), layout=False)
        self.draw_rule()

    def draw_rule(self) -> None:
        """The line under the header, with what is known of the foretelling."""
        width = self.query_one("#rule").size.width
        said = foretelling(self.session.figures, width - 6) if self.session.kind == "memory" else ""
        line = "─" * width if not said else "─" * (width - len(said) - 4) + f" {said} ──"
        self.query_one("#rule", Words).put((line, "$quiet"), layout=False)

    async def renew(self) -> None:
        """Beside the deciding, every few decisions: learn from them, order what is ahead anew, and say how well the
        person is foretold. Once at a time, and in a pause between two keys: it takes the processor from them."""
        if self._is_renewing:
            return
        self._is_renewing = True
        try:
            await self.session.pause()
            if await self.session.look_at_figures():
                self.draw_rule()
            if await self.session.renew():
                self._fill_list()
        finally:
            self._is_renewing = False

    def _draw_recent(self) -> None:
        done = [
            f"{GLYPHS[each.state][0]} {label(each.card, 22)}" + (f" ({each.reason})" if each.reason else "")
            for each in self.session.recent
        ]
        self.query_one("#recent", Words).put((" " + "   ".join(reversed(done)), "$quiet"), layout=False)

    @on(CardView.Resized)
    def lay_out_again(self) -> None:
        """The card has another size, or is seen again."""
        if self.session.walk is not None:
            self.draw()

    def _fill_list(self) -> None:
        walk = self.session.walk
        self.query_one("#list", LineList).fill(len(walk.ids) if walk else 0, self._row, self.session.place)

    def _row(self, place: int) -> list[Part]:
        card = self.session.card_at(place)
        if card is None:
            return [("gone", "$quiet")]
        glyph, style = GLYPHS[card.state]
        chosen = "▌" if self.session.anchor is not None and place in self.session.chosen() else " "
        return [chosen, (f"{glyph or '·'} {card.state:<9}", style), row_words(card)]

    @on(LineList.Moved, "#list")
    def list_moved(self, event: LineList.Moved) -> None:
        """The cursor of the list is the place in the queue."""
        if self.has_class("-listing"):
            if self.session.place != event.place:
                self.session.place = event.place
                self._will_be_seen()
            self._draw_header()
            if self.session.anchor is not None:
                event.list.refresh()

    @on(LineList.Chosen, "#list")
    def list_chosen(self, event: LineList.Chosen) -> None:
        """Back to the card."""
        self.session.place = event.place
        self._show_list(False)

    def _show_list(self, shown: bool) -> None:
        self.set_class(shown, "-listing")
        if shown:
            self.set_focus(self.query_one("#list", LineList))
        else:
            self.set_focus(None)
        self.draw()

    def _moved(self) -> None:
        self.query_one("#list", LineList).go_to(self.session.place)
        self.draw()
