"""The review screen: the card, the keys that decide on it, and the numbers above it."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from textual import events, on
from textual.app import ComposeResult

from core.errors import SimuleeError, UsageError
from core.review.decisions import Actor, CardKind, Verb
from core.review.walk import ORDERS, Filter, Order, queues
from core.store.review_queue import MemoryCard, PairCard
from tui.keys import REASONS
from tui.screens.review.cards import GLYPHS, label, layout, row_words
from tui.screens.review.session import ReviewSession
from tui.screens.stage import Stage
from tui.widgets.boxes import AskBox, ChoiceBox
from tui.widgets.card_view import CardView
from tui.widgets.editing import EditInPlace, edit_outside
from tui.widgets.frame import duration, run_words
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words, words

if TYPE_CHECKING:
    from core.workspace import Workspace

KINDS: tuple[CardKind, ...] = ("memory", "pair", "proposal")
NAMES = {"memory": "memories", "pair": "pairs", "proposal": "proposals"}
COUNT_TYPED_ABOVE = 20
"""A batch larger than this is confirmed by typing how many cards it is about."""
ONLY_MEMORIES = {"answer", "next_exchange", "previous_exchange", "edit"}
NO_CARD = {"filter", "undo", "order", "queue", "recall", "redo"}


class ReviewScreen(Stage):
    """One queue, many kinds of cards."""

    NAME = "review"
    CSS_PATH = "review.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._session: ReviewSession | None = None
        self._answer_shown = False
        self._auto_advance = True
        self._paint = 0
        self._came_back_to = ""

    @property
    def session(self) -> ReviewSession:
        """The sitting; made at the first use."""
        if self._session is None:
            self._session = ReviewSession(self.bench, Actor("person", getpass.getuser()))
        return self._session

    def body(self) -> ComposeResult:
        yield Words(id="header")
        yield Words(id="rule")
        yield CardView(id="card")
        yield LineList(id="list")
        yield EditInPlace(id="editor")
        yield Words(id="recent")

    def without_workspace(self) -> None:
        self.query_one(CardView).show([words("Open a workspace to review its memories: g o shows the ways in.")])

    async def load(self, workspace: Workspace) -> None:
        session = self.session
        uid = self._came_back_to or (session.card.uid if session.card else "")
        self._came_back_to = ""
        await session.open(uid, session.place)
        self._fill_list()
        self.draw()

    def place(self) -> dict[str, Any]:
        session = self.session
        card = session.card if session.walk else None
        return {
            "kind": session.kind, "order": session.order, "filter": session.filter_text, "place": session.place,
            "uid": card.uid if card else self._came_back_to, "answer": self._answer_shown, "auto": self._auto_advance,
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        session = self.session
        if place.get("kind") in KINDS:
            session.kind = place["kind"]
        if place.get("order") in ORDERS:
            session.order = place["order"]
        text = place.get("filter")
        session.filter_text = text if isinstance(text, str) and _is_filter(text) else ""
        session.place = place["place"] if isinstance(place.get("place"), int) else 0
        self._came_back_to = str(place.get("uid") or "")
        self._answer_shown = bool(place.get("answer"))
        self._auto_advance = place.get("auto") is not False

    def runs_changed(self) -> None:
        running = [each for each in self.bench.pictures if each.kind == "recall" and each.state == "running"]
        if running:
            self.say(run_words(running[0]))

    def shown_actions(self) -> Callable[[str], bool] | None:
        session = self._session
        if session is None or session.card is None:
            return lambda name: name in NO_CARD
        if session.kind != "memory":
            return lambda name: name not in ONLY_MEMORIES and name != "recall"
        return lambda name: name != "recall"

    # Drawing

    def draw(self) -> None:
        """Paint the card one stands at, and ask the terminal to confirm it."""
        session = self.session
        self._draw_header()
        view = self.query_one(CardView)
        card = session.card
        if view.size.width == 0:
            pass  # Out of sight: it is laid out when it is seen.
        elif card is None:
            view.show(self._empty())
        else:
            key = self.bench.keymap["review.answer"].shown_key
            view.show(layout(card, view.size.width, view.size.height, self._answer_shown, key))
        self._draw_recent()
        self._paint = self.bench.proof.asked + 1
        self.call_after_refresh(self._ask_for_proof)
        self.bench.do(session.read_ahead, exclusive="read ahead")

    def _ask_for_proof(self) -> None:
        self._paint = self.bench.proof.ask()

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
                words((f" {keymap['review.undo'].shown_key} ", "bold $accent"), "takes the last decision back; ",
                      (keymap["review.filter"].shown_key, "bold $accent"), " state:all shows them all; ",
                      (keymap["app.dataset"].shown_key, "bold $accent"), " freezes a dataset."),
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
        rate = session.per_minute
        if rate:
            right += f" · {rate:.0f}/min · ~{duration(60 * left / rate)} left"
        place = f" · {session.place + 1:,} of {len(walk.ids):,}" if walk.ids else ""
        ranged = f" · range of {len(session.chosen())}" if session.anchor is not None else ""
        lead = f" {queue}{what}{order}{place}{ranged}"
        gap = max(2, self.query_one("#header").size.width - len(lead) - len(right) - 1)
        self.query_one("#header", Words).put((lead, "bold"), " " * gap, (right, "$quiet"), layout=False)
        self.query_one("#rule", Words).put(("─" * self.query_one("#rule").size.width, "$quiet"), layout=False)

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

    # Deciding

    def _may_decide(self) -> bool:
        session = self.session
        if session.card is None:
            self.say("there is no card here")
            return False
        if not self.bench.proof.holds(self._paint):
            key = self.bench.keymap["review.trust_link"].shown_key
            self.say(
                f"the terminal has not shown this card yet: nothing was decided ({key} turns the wait off)", "warning"
            )
            return False
        return True

    async def _decide(self, verb: Verb, reason: str = "", text: str = "", places: Sequence[int] | None = None) -> None:
        session = self.session
        if not self._may_decide():
            return
        chosen = session.chosen() if places is None else list(places)
        if len(chosen) > COUNT_TYPED_ABOVE:
            await self._decide_many(chosen, verb, reason)
        else:
            await self._commit(chosen, verb, reason, text)

    async def _decide_many(self, chosen: Sequence[int], verb: Verb, reason: str) -> None:
        """A large batch: only after its size was typed."""

        async def typed(count: str | None) -> None:
            if count is None or count.strip() != str(len(chosen)):
                self.say("nothing was decided")
            else:
                await self._commit(chosen, verb, reason, "")

        await self.bench.ask(
            AskBox(f"{verb} {len(chosen)} cards: type {len(chosen)} to do it", note="esc leaves them as they are"),
            typed,
        )

    async def _commit(self, chosen: Sequence[int], verb: Verb, reason: str, text: str) -> None:
        session = self.session
        try:
            count = await session.decide(chosen, verb, reason, text)
        except SimuleeError as error:
            self.bench.complain(error)
            return
        assert session.walk is not None
        self.query_one("#list", LineList).refresh()
        if count > 1:
            self.say(f"{count} cards: {verb}", "good")
        elif self.query_one("#card").display or not self._auto_advance:
            self.say("")
        if self._auto_advance:
            ahead = session.walk.next_pending(max(chosen))
            if ahead is None:
                ahead = session.walk.next_pending(len(session.walk.ids), -1)
            if ahead is None and session.walk.counts["pending"] == 0:
                self.say("nothing is left in this queue", "good")
            session.place = ahead if ahead is not None else min(max(chosen) + 1, len(session.walk.ids) - 1)
        self._moved()

    def _moved(self) -> None:
        self.query_one("#list", LineList).go_to(self.session.place)
        self.draw()

    async def action_accept(self) -> None:
        if self.session.kind == "pair":
            self.say("choose: 1 the left one, 2 the right one, 0 both bad")
            return
        await self._decide("accept")

    async def action_reject(self) -> None:
        await self._decide("reject")

    async def action_neither(self) -> None:
        if self.session.kind == "pair":
            await self._decide("reject", "both bad")

    async def action_left(self) -> None:
        if self.session.kind == "pair":
            await self._decide("accept", text="left")

    async def action_right(self) -> None:
        if self.session.kind == "pair":
            await self._decide("accept", text="right")

    async def _reject_for(self, number: int) -> None:
        if self.session.kind == "pair":
            if number <= 2:
                await self._decide("accept", text="left" if number == 1 else "right")
            return
        await self._decide("reject", REASONS[number - 1])

    async def action_reject_1(self) -> None:
        await self._reject_for(1)

    async def action_reject_2(self) -> None:
        await self._reject_for(2)

    async def action_reject_3(self) -> None:
        await self._reject_for(3)

    async def action_reject_4(self) -> None:
        await self._reject_for(4)

    async def action_reject_5(self) -> None:
        await self._reject_for(5)

    async def action_reject_6(self) -> None:
        await self._reject_for(6)

    async def action_reject_7(self) -> None:
        await self._reject_for(7)

    async def action_reject_8(self) -> None:
        await self._reject_for(8)

    async def action_reject_9(self) -> None:
        await self._reject_for(9)

    async def action_defer(self) -> None:
        await self._decide("defer")

    async def action_flag(self) -> None:
        await self._decide("flag")

    async def action_repeat(self) -> None:
        """The last decision again, on this card."""
        if self.session.last is None:
            self.say("nothing was decided yet")
            return
        verb, reason = self.session.last
        await self._decide(verb, reason)

    async def action_accept_all(self) -> None:
        await self._decide_group("accept")

    async def action_reject_all(self) -> None:
        await self._decide_group("reject")

    async def _decide_group(self, verb: Verb) -> None:
        session = self.session
        if not self._may_decide() or session.walk is None:
            return
        if session.kind == "pair" and verb == "accept":
            self.say("pairs are chosen one by one")
            return
        group = [place for place in session.walk.group_of(session.place) if session.walk.waits(place)]
        if session.filter_text:
            every = [place for place in range(len(session.walk.ids)) if session.walk.waits(place)]

            async def chosen(choice: int | None) -> None:
                if choice is not None:
                    await self._decide_places(every if choice == 1 else group, verb)

            choices = [f"this exchange: {len(group)}", f"all that the filter shows: {len(every)}"]
            await self.bench.ask(ChoiceBox(f"{verb} which?", choices), chosen)
        else:
            await self._decide_places(group, verb)

    async def _decide_places(self, places: Sequence[int], verb: Verb) -> None:
        if not places:
            self.say("nothing there waits")
        elif len(places) > COUNT_TYPED_ABOVE:
            await self._decide_many(places, verb, "")
        else:
            await self._commit(places, verb, "", "")

    async def action_undo(self) -> None:
        await self._turn("undo")

    async def action_redo(self) -> None:
        await self._turn("redo")

    async def _turn(self, act: str) -> None:
        try:
            count = await self.session.turn(act)
        except UsageError as error:
            self.say(error.message)
            return
        self._fill_list()
        self.say(f"{'took back' if act == 'undo' else 'brought back'} {count} decision{'s' if count != 1 else ''}")
        self.draw()

    # Editing

    async def action_edit(self) -> None:
        card = self.session.card
        if card is None or isinstance(card, PairCard) or not self._may_decide():
            return
        editor = self.query_one(EditInPlace)
        editor.put(card.text)
        self.add_class("-editing")
        self.set_focus(editor)
        self.say("enter accepts these words, esc leaves them as they were")

    @on(EditInPlace.Accepted)
    async def accept_edit(self, event: EditInPlace.Accepted) -> None:
        """Enter in the editor."""
        self._close_editor()
        if event.text.strip():
            await self._decide("edit", text=event.text.strip(), places=[self.session.place])
        else:
            self.say("an edit needs words: nothing was changed", "warning")

    @on(EditInPlace.Left)
    def leave_edit(self) -> None:
        """Escape in the editor."""
        self._close_editor()
        self.say("nothing was changed")

    def _close_editor(self) -> None:
        self.remove_class("-editing")
        self.set_focus(None)

    async def action_editor(self) -> None:
        card = self.session.card
        if card is None or isinstance(card, PairCard) or not self._may_decide():
            return
        text = edit_outside(self.bench, card.text).strip()
        if text and text != card.text:
            await self._decide("edit", text=text, places=[self.session.place])
        else:
            self.say("nothing was changed")
            self.draw()

    # Moving

    def _go(self, place: int | None, otherwise: str = "") -> None:
        walk = self.session.walk
        if walk is None or not walk.ids:
            return
        if place is None:
            self.say(otherwise)
            return
        self.session.place = min(max(place, 0), len(walk.ids) - 1)
        self.say("")
        self._moved()

    async def action_next(self) -> None:
        self._go(self.session.place + 1)

    async def action_previous(self) -> None:
        self._go(self.session.place - 1)

    async def action_first(self) -> None:
        self._go(0)

    async def action_last(self) -> None:
        self._go(len(self.session.walk.ids) - 1 if self.session.walk else None)

    async def action_next_exchange(self) -> None:
        walk = self.session.walk
        self._go(walk.next_group(self.session.place, 1) if walk and walk.ids else None, "this is the last exchange")

    async def action_previous_exchange(self) -> None:
        walk = self.session.walk
        self._go(walk.next_group(self.session.place, -1) if walk and walk.ids else None, "this is the first exchange")

    async def action_next_waiting(self) -> None:
        walk = self.session.walk
        self._go(walk.next_pending(self.session.place, 1) if walk else None, "nothing after this waits")

    async def action_previous_waiting(self) -> None:
        walk = self.session.walk
        self._go(walk.next_pending(self.session.place, -1) if walk else None, "nothing before this waits")

    async def action_range(self) -> None:
        session = self.session
        session.anchor = session.place if session.anchor is None else None
        self.say("move, then decide on the whole range; esc drops it" if session.anchor is not None else "")
        self._draw_header()

    def leave(self) -> bool:
        if self.has_class("-listing"):
            self._show_list(False)
            return True
        if self.session.anchor is not None:
            self.session.anchor = None
            self._draw_header()
            return True
        return super().leave()

    # Looking

    async def action_answer(self) -> None:
        self._answer_shown = not self._answer_shown
        self.draw()

    async def action_auto_advance(self) -> None:
        self._auto_advance = not self._auto_advance
        self.say("goes on after a decision" if self._auto_advance else "stays after a decision")

    async def action_trust_link(self) -> None:
        proof = self.bench.proof
        proof.trusted = not proof.trusted
        self.bench.prefer(trusts_link=proof.trusted)
        self.say(
            "decides without waiting for the terminal"
            if proof.trusted
            else "a card takes decisions once the terminal has shown it"
        )

    async def action_copy(self) -> None:
        card = self.session.card
        if card is None:
            return
        text = card.text if not isinstance(card, PairCard) else f"{card.left}\n\n{card.right}"
        if isinstance(card, MemoryCard):
            text += f"\n\n{card.passage_title}, {card.passage_date}"
        self.bench.copy_to_clipboard(text)
        self.say("copied")

    async def action_order(self) -> None:
        names = ["by exchange", "best score first", "least certain first", "by the passage's date"]

        async def chosen(choice: int | None) -> None:
            if choice is not None:
                await self._reopen(order=ORDERS[choice])

        await self.bench.ask(ChoiceBox("Order", names, ORDERS.index(self.session.order)), chosen)

    async def action_filter(self) -> None:
        async def typed(text: str | None) -> None:
            if text is None:
                return
            if not _is_filter(text):
                self.say("state: takes pending, accepted, rejected, deferred, flagged or all", "error")
                return
            await self._reopen(filter_text=text.strip())

        note = "state:rejected, state:all choose by state; empty shows what waits"
        await self.bench.ask(AskBox("Show only cards with these words", self.session.filter_text, note=note), typed)

    async def action_queue(self) -> None:
        found = await self.bench.read(queues)

        async def chosen(choice: int | None) -> None:
            if choice is not None:
                await self._reopen(kind=KINDS[choice], filter_text="")

        choices = [f"{NAMES[kind]}: {waiting:,} of {total:,} wait" for kind, waiting, total in found]
        await self.bench.ask(ChoiceBox("Queue", choices, KINDS.index(self.session.kind)), chosen)

    async def _reopen(self, **changes: str) -> None:
        session = self.session
        session.kind = cast(CardKind, changes.get("kind", session.kind))
        session.order = cast(Order, changes.get("order", session.order))
        session.filter_text = changes.get("filter_text", session.filter_text)
        session.recent.clear()
        session.forget_decided()
        await session.open("", 0)
        self._fill_list()
        self.draw()
        self.keys_changed()

    async def action_list(self) -> None:
        self._show_list(not self.has_class("-listing"))

    def _show_list(self, shown: bool) -> None:
        self.set_class(shown, "-listing")
        if shown:
            self.set_focus(self.query_one("#list", LineList))
        else:
            self.set_focus(None)
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
            self.session.place = event.place
            self._draw_header()
            if self.session.anchor is not None:
                event.list.refresh()

    @on(LineList.Chosen, "#list")
    def list_chosen(self, event: LineList.Chosen) -> None:
        """Back to the card."""
        self.session.place = event.place
        self._show_list(False)

    async def action_recall(self) -> None:
        """Start a recall run."""
        from core.journey import RECALL

        run = await self.bench.start_run(*RECALL, {})
        if run is not None:
            self.say(f"{run.id} writes memories; they appear here when it is done")

    async def on_key(self, event: events.Key) -> None:
        """A card longer than the screen scrolls."""
        view = self.query_one(CardView)
        if event.key in ("pagedown", "pageup") and not self.has_class("-listing"):
            view.scroll_by((view.size.height - 2) * (1 if event.key == "pagedown" else -1))
            event.stop()


def _is_filter(text: str) -> bool:
    try:
        Filter.parse(text)
    except UsageError:
        return False
    return True


def screen() -> Stage:
    """What the workbench installs."""
    return ReviewScreen()
