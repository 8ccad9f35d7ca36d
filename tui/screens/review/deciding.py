"""Deciding on cards: one, a range, an exchange, all of a filter; undo and redo; edits."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on

from core.errors import SimuleeError, UsageError
from core.review.decisions import Verb
from core.review.edits import base_edit_on, drop_edit, edit_is_outdated, edit_waits, edited_words, open_edit
from core.store.review_queue import MemoryCard, PairCard, ProposalCard
from core.workspace import Workspace
from tui.keys import REASONS
from tui.screens.review.drawing import Drawing
from tui.widgets.boxes import AskBox, ChoiceBox
from tui.widgets.editing import EditInPlace, edit_outside
from tui.widgets.line_list import LineList

COUNT_TYPED_ABOVE = 20
"""A batch larger than this is confirmed by typing how many cards it is about."""
PRESENT, MINE = 0, 1


class Deciding(Drawing):
    """The keys that change the store.

    What a decision is about is held as rows from the moment it is asked about: a queue that is read anew meanwhile has
    other cards at the same places.
    """

    def __init__(self) -> None:
        super().__init__()
        self._edited = 0
        """The row whose words are in the editor."""

    def _may_decide(self) -> bool:
        session = self.session
        if session.card is None:
            self.say("there is no card here")
            return False
        if session.standing is None or session.standing != self._painted:
            self.say("nothing was decided: another card stands here now, which was not shown yet", "warning")
            return False
        if not self.bench.proof.holds(self._paint):
            key = self.bench.keymap["review.trust_link"].shown_key
            self.say(f"nothing was decided: this card is not on the terminal yet ({key}: never wait)", "warning")
            return False
        return True

    async def _decide(self, verb: Verb, reason: str = "", text: str = "", rows: Sequence[int] | None = None) -> None:
        session = self.session
        if self._may_decide():
            await self._decide_rows(session.rows(session.chosen()) if rows is None else rows, verb, reason, text)

    async def _decide_rows(self, rows: Sequence[int], verb: Verb, reason: str = "", text: str = "") -> None:
        if len(rows) > COUNT_TYPED_ABOVE:
            await self._decide_many(rows, verb, reason, text)
        else:
            await self._commit(rows, verb, reason, text)

    async def _decide_many(self, rows: Sequence[int], verb: Verb, reason: str, text: str) -> None:
        """A large batch: only after its size was typed."""

        async def typed(count: str | None) -> None:
            if count is None or count.strip() != str(len(rows)):
                self.say("nothing was decided")
            else:
                await self._commit(rows, verb, reason, text)

        await self.bench.ask(
            AskBox(f"{verb} {len(rows)} cards: type {len(rows)} to do it", note="esc leaves them as they are"),
            typed,
        )

    async def _commit(self, rows: Sequence[int], verb: Verb, reason: str, text: str) -> bool:
        """Decide, and go on. False when nothing was decided, which is told."""
        session = self.session
        try:
            count = await session.decide(rows, verb, reason, text)
        except SimuleeError as error:
            self.bench.complain(error)
            return False
        if count == 0:
            self.say("nothing was decided: what was to be decided on is gone", "warning")
            return False
        assert session.walk is not None
        if session.renewal_is_due:
            self.bench.do(self.renew())
        self.query_one("#list", LineList).refresh()
        if count > 1:
            self.say(f"{count} cards: {verb}", "good")
        elif self.query_one("#card").display or not self._auto_advance:
            self.say("")
        if self._auto_advance:
            last = session.walk.last_of(rows)
            last = session.place if last is None else last
            ahead = session.walk.next_pending(last)
            if ahead is None:
                ahead = session.walk.next_pending(len(session.walk.ids), -1)
            if ahead is None and session.walk.counts["pending"] == 0:
                self._say_the_end(session.walk.put_off)
            session.place = ahead if ahead is not None else min(last + 1, len(session.walk.ids) - 1)
        self._moved()
        return True

    def _say_the_end(self, put_off: int) -> None:
        if not put_off:
            self.say("nothing is left in this queue", "good")
            return
        keys = f"{self.key('next_waiting')} and {self.key('previous_waiting')} go to them"
        self.say(f"{put_off:,} put off still wait{'s' if put_off == 1 else ''}: {keys}")

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
        verb, reason, text = self.session.last
        await self._decide(verb, reason, text)

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
        walk = session.walk
        group = session.rows([place for place in walk.group_of(session.place) if walk.waits(place)])
        every = session.rows([place for place in range(len(walk.ids)) if walk.waits(place)])
        if session.filter_text and every:

            async def chosen(choice: int | None) -> None:
                if choice is not None:
                    await self._decide_group_rows(every if choice == 1 else group, verb)

            choices = [f"this exchange: {len(group)}", f"all that the filter shows: {len(every)}"]
            await self.bench.ask(ChoiceBox(f"{verb} which?", choices), chosen)
        else:
            await self._decide_group_rows(group, verb)

    async def _decide_group_rows(self, rows: Sequence[int], verb: Verb) -> None:
        if rows:
            await self._decide_rows(rows, verb)
        else:
            self.say("nothing there waits")

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

    async def action_edit(self) -> None:
        card = self.session.card
        if card is None or isinstance(card, PairCard) or not self._may_decide():
            return
        self._edited = self.session.rows([self.session.place])[0]
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
            await self._decide("edit", text=event.text.strip(), rows=[self._edited])
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
        card, workspace = self.session.card, self.bench.workspace
        if card is None or workspace is None or isinstance(card, PairCard) or not self._may_decide():
            return
        rows = self.session.rows([self.session.place])
        if not edit_is_outdated(workspace, card.uid, card.text):
            await self._edit_outside(workspace, card, rows)
            return

        async def then(choice: int | None) -> None:
            if choice == PRESENT:
                drop_edit(workspace, card.uid)
            elif choice == MINE:
                base_edit_on(workspace, card.uid, card.text)
            else:
                return
            await self._edit_outside(workspace, card, rows)

        choices = ["edit the card's words: those left are dropped", "edit the words left: they replace the card's"]
        await self.bench.ask(ChoiceBox("The card has other words now than when your edit was begun", choices), then)

    async def _edit_outside(self, workspace: Workspace, card: MemoryCard | ProposalCard, rows: Sequence[int]) -> None:
        try:
            edit_outside(self.bench, open_edit(workspace, card.uid, card.text))
        finally:
            changed = edit_waits(workspace, card.uid, card.text)
            if not changed:
                drop_edit(workspace, card.uid)
        if not changed:
            self.say("nothing was changed")
            self.draw()
        elif await self._commit(rows, "edit", "", edited_words(workspace, card.uid)):
            drop_edit(workspace, card.uid)

    def tell_of_left_edit(self) -> None:
        """Words that were saved in an editor, and not decided on, wait for this card."""
        card, workspace = self.session.card, self.bench.workspace
        if card is None or workspace is None or isinstance(card, PairCard):
            return
        if edit_waits(workspace, card.uid, card.text):
            self.say(f"an edit of this card was left in the editor: {self.key('editor')} opens it", "warning")
