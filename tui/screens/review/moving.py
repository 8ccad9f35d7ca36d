"""Moving through the queue, and choosing which queue, order and filter."""

from __future__ import annotations

from typing import cast

from core.errors import UsageError
from core.review.decisions import CardKind
from core.review.walk import ORDERS, Filter, Order, queues
from core.store.review_queue import MemoryCard, PairCard
from tui.screens.review.drawing import KINDS, NAMES, Drawing
from tui.widgets.boxes import AskBox, ChoiceBox


class Moving(Drawing):
    """The keys that only look."""

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
        self._go(walk.next_waiting(self.session.place, 1) if walk else None, "nothing after this waits")

    async def action_previous_waiting(self) -> None:
        walk = self.session.walk
        self._go(walk.next_waiting(self.session.place, -1) if walk else None, "nothing before this waits")

    async def action_range(self) -> None:
        session = self.session
        session.anchor = session.place if session.anchor is None else None
        self.say("move, then decide on the whole range; esc drops it" if session.anchor is not None else "")
        self._draw_header()

    @property
    def part_open(self) -> bool:
        return self.has_class("-listing")

    def leave(self) -> bool:
        if self.has_class("-listing"):
            self._show_list(False)
            return True
        if self.session.anchor is not None:
            self.session.anchor = None
            self._draw_header()
            return True
        return super().leave()

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
            if not is_filter(text):
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
        self.say("")
        session.recent.clear()
        session.forget_decided()
        await session.open("", 0)
        self._fill_list()
        self.draw()
        self.keys_changed()

    async def action_list(self) -> None:
        self._show_list(not self.has_class("-listing"))


def is_filter(text: str) -> bool:
    try:
        Filter.parse(text)
    except UsageError:
        return False
    return True
