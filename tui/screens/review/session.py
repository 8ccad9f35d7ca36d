"""One sitting of review: the queue, the place in it, the cards at hand, and how fast the work goes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from core.review.decisions import STATE_AFTER, Actor, CardKind, Decision, Verb
from core.review.figures import Figures, figures
from core.review.renewing import Renewer, Tail
from core.review.verdicts import AGAIN
from core.review.walk import Filter, Order, Walk, commit, load_cards, open_walk, place_of, recent_decisions, take_back
from core.store.blind_draws import LARGEST_SEEN_BATCH
from core.store.review_queue import Card, MemoryCard, PairCard, ProposalCard

if TYPE_CHECKING:
    from core.workspace import Workspace
    from tui.app import Workbench

AHEAD = 64
"""Cards read ahead of the one that is seen."""
KEPT_CARDS = 2_000
RATE_OVER = 30
"""Decisions over which the rate is taken."""
PAUSE_SECONDS = 120
"""A longer wait is a pause, not slow work."""
RECENT = 5
PAUSE_BETWEEN_KEYS = 0.25
"""Seconds without a decision after which what takes the processor may begin."""
LONGEST_ROW = 5.0
"""Seconds it waits at most for such a pause."""


@dataclass(frozen=True, slots=True)
class Done:
    """A decision as the line of recent ones shows it."""

    state: str
    card: Card
    reason: str


class ReviewSession:
    """Holds what the screen draws; every change of the store goes through the bench's writer."""

    def __init__(self, bench: Workbench, actor: Actor) -> None:
        self._bench = bench
        self._actor = actor
        self.kind: CardKind = "memory"
        self.order: Order = "exchange"
        self.filter_text = ""
        self.walk: Walk | None = None
        self.place = 0
        self.anchor: int | None = None
        """Where a range began, or None."""
        self.last: tuple[Verb, str, str] | None = None
        """The last decision on this kind of card, for repeating it: verb, reason, and of a pair its better side."""
        self.recent: deque[Done] = deque(maxlen=RECENT)
        self._cards: dict[int, Card] = {}
        self._times: deque[float] = deque(maxlen=RATE_OVER)
        self._decided_here: list[str] = []
        self._since_read: dict[int, str] = {}
        """Row → state, of what was decided since the reading of the queue began."""
        self.figures: Figures | None = None
        """How well the person is foretold; None until it is known."""
        self._renewer = Renewer()
        self._since_renewed = 0

    @property
    def person(self) -> str:
        """Who decides here."""
        return self._actor.name

    async def open(self, uid: str = "", place: int = 0) -> None:
        """Read the queue, and stand at the card with this uid, or at this place when it is gone."""
        wanted = Filter.parse(self.filter_text)
        keep = [uid, *self._decided_here[-200:]] if uid else self._decided_here[-200:]
        kind = self.kind
        self._since_read.clear()
        walk = await self._bench.read(open_walk, kind, self.order, wanted, keep, self.person)
        row = await self._bench.read(place_of, kind, uid) if uid else None
        found = walk.place_of(row) if row is not None else None
        # From here to the place without a wait: a key in between would meet another card than the one that is seen.
        for decided, state in self._since_read.items():
            walk.set_state(decided, state)
        if self.walk is not None and self.walk.kind != kind:
            self.last = None
        self._cards.clear()
        self.walk = walk
        self.anchor = None
        self.place = min(place, max(0, len(walk.ids) - 1)) if found is None else found
        if not self.recent:
            done = await self._bench.read(recent_decisions, self.kind, RECENT)
            self.recent.extend(Done(state, card, reason) for state, card, reason in done)
        await self.read_ahead()

    def pass_decided(self) -> None:
        """Coming back to a card that was decided as the line was lost, go on to the next that waits."""
        walk = self.walk
        if walk is not None and walk.ids and not walk.waits(self.place) and "state:" not in self.filter_text:
            ahead = walk.next_pending(self.place)
            self.place = self.place if ahead is None else ahead

    def forget_decided(self) -> None:
        """Let the next reading of the queue leave out what was decided in this sitting."""
        self._decided_here.clear()

    @property
    def card(self) -> Card | None:
        """The card one stands at."""
        return self.card_at(self.place)

    @property
    def standing(self) -> tuple[CardKind, int] | None:
        """The kind and the row of the card one stands at; None where there is none, as between two kinds of cards."""
        walk = self.walk
        if walk is None or walk.kind != self.kind or not 0 <= self.place < len(walk.ids):
            return None
        return walk.kind, walk.ids[self.place]

    @property
    def uid_to_return_to(self) -> str:
        """By which one comes back to this card; empty for a second look, whose memory's uid is a decided card's."""
        card, walk = self.card, self.walk
        return "" if card is None or walk is None or walk.ids[self.place] < 0 else card.uid

    def card_at(self, place: int) -> Card | None:
        """A card by its place; what is not at hand is read now, with its neighbors."""
        if self.walk is None or not 0 <= place < len(self.walk.ids):
            return None
        row = self.walk.ids[place]
        if row not in self._cards and self._bench.workspace is not None:
            near = self.walk.ids[max(0, place - 4) : place + 24]
            self._keep(load_cards(self._bench.workspace, self.kind, near, self.walk, self.person))
        return self._cards.get(row)

    def card_at_hand(self, place: int) -> Card | None:
        """A card by its place where it was read already, else None."""
        walk = self.walk
        return self._cards.get(walk.ids[place]) if walk is not None and 0 <= place < len(walk.ids) else None

    async def read_ahead(self) -> None:
        """Have the next cards at hand before they are asked for."""
        walk = self.walk
        if walk is None:
            return
        wanted = [row for row in walk.ids[self.place : self.place + AHEAD] if row not in self._cards]
        if len(wanted) > AHEAD // 2 or (wanted and self.place + AHEAD >= len(walk.ids)):
            cards = await self._bench.read(load_cards, self.kind, wanted, walk, self.person)
            if walk is self.walk:  # Another walk may veil other cards.
                self._keep(cards)

    def _keep(self, cards: dict[int, Card]) -> None:
        if len(self._cards) > KEPT_CARDS:
            self._cards.clear()
        self._cards |= cards

    def chosen(self) -> list[int]:
        """The places a decision is about: the range when one is open, else where one stands."""
        if self.anchor is None:
            return [self.place]
        return list(range(min(self.anchor, self.place), max(self.anchor, self.place) + 1))

    def rows(self, places: Sequence[int]) -> list[int]:
        """The cards at these places: they stay the same when the queue is read anew."""
        return [self.walk.ids[place] for place in places] if self.walk is not None else []

    async def decide(self, rows: Sequence[int], verb: Verb, reason: str = "", text: str = "") -> int:
        """Commit one batch. Returns how many cards it is about. The store has it when this returns.

        Words that were edited before stay with their card, whatever else is decided on it.
        """
        walk = self.walk
        assert walk is not None
        if len(rows) > LARGEST_SEEN_BATCH:
            rows = [row for row in rows if row > 0]  # A second look is worth something only where one looks.
        known = {row: self._cards[row] for row in rows if row in self._cards}
        missing = [row for row in rows if row not in known]
        for start in range(0, len(missing), 500):
            part = missing[start : start + 500]
            known |= await self._bench.read(load_cards, walk.kind, part, walk, self.person)
        rows = [row for row in rows if row in known]
        if not rows:
            return 0
        decisions = [
            Decision(known[row].uid, verb, reason, text or _edited(row, known[row]), walk.kind, second=row < 0)
            for row in rows
        ]
        await self._bench.write(commit, self._actor, decisions)
        walk = self.walk or walk  # It may have been read anew meanwhile.
        for row, decision in zip(rows, decisions, strict=True):
            card = known[row]
            walk.set_state(row, STATE_AFTER[verb])
            self._since_read[row] = STATE_AFTER[verb]
            self._cards[row] = _after(card, STATE_AFTER[verb], reason, decision.text)
            if row > 0:
                self._decided_here.append(card.uid)
        for row in rows[-RECENT:]:
            self.recent.append(Done(STATE_AFTER[verb], self._cards[row], reason))
        self.last = (verb, reason, text) if verb != "edit" else self.last
        self.anchor = None
        self._times.append(time.monotonic())
        self._since_renewed += len(rows)
        return len(rows)

    async def turn(self, act: str) -> int:
        """Undo or redo the last batch and stand at its first card. Returns how many cards it was about.

        Raises UsageError when there is nothing to take back.
        """
        affected = await self._bench.write(take_back, act, self._actor)
        first = affected[0]
        self.recent.clear()
        if first.card_kind != self.kind:
            self.kind = first.card_kind
            self.filter_text = ""
        self._since_renewed += len(affected)
        if first.second:
            await self.open("", self.place)
            await self._stand_at_second_look(first.card_uid)
        else:
            await self.open(first.card_uid, self.place)
        return len(affected)

    async def _stand_at_second_look(self, uid: str) -> None:
        """Where the queue as it was read anew has it elsewhere or not at all, it comes here."""
        row = await self._bench.read(place_of, self.kind, uid)
        walk = self.walk
        if row is None or walk is None or self.kind != "memory":
            return
        place = walk.place_of(-row)
        if place is None:
            walk.weave([(min(self.place, len(walk.ids)), row)])
            place = walk.place_of(-row)
        self.place = place or 0
        await self.read_ahead()

    async def pause(self) -> None:
        """Wait until nothing was decided for a moment, in an unbroken row of keys not for longer than a while."""
        latest = time.monotonic() + LONGEST_ROW
        while self._times and (now := time.monotonic()) < latest:
            left = self._times[-1] + PAUSE_BETWEEN_KEYS - now
            if left <= 0:
                return
            await asyncio.sleep(left)

    @property
    def renewal_is_due(self) -> bool:
        """Whether enough was decided since the queue was last put in order."""
        return self._since_renewed >= AGAIN

    async def renew(self) -> bool:
        """Learn from what was decided, and put what is ahead in order. True when the walk has changed.

        It takes its time on a thread of its own; one goes on deciding meanwhile.
        """
        walk = self.walk
        if walk is None or self.kind != "memory":
            return False
        self._since_renewed = 0
        order = self.order
        copy = replace(walk, ids=list(walk.ids), groups=list(walk.groups), states=dict(walk.states))
        weaves = Filter.parse(self.filter_text) == Filter()
        tail = await self._bench.think(self._renew_copy, order, copy, self.place, weaves)
        if tail is None or walk is not self.walk or len(walk.ids) != len(copy.ids):
            return False
        if max(self.place, self.anchor or 0) >= tail.start:
            return False  # One was faster: the next time it is in order.
        walk.ids[tail.start :] = tail.ids
        walk.groups[tail.start :] = tail.groups
        walk.looks |= tail.looks
        await self.read_ahead()
        return True

    def _renew_copy(self, workspace: Workspace, order: Order, copy: Walk, place: int, weaves: bool) -> Tail | None:
        return self._renewer.renew(workspace, self.person, order, copy, place, weaves)

    async def look_at_figures(self) -> bool:
        """Read how well the person is foretold. True when that has changed."""
        found = await self._bench.read(figures, self.person)
        changed, self.figures = found != self.figures, found
        return changed

    @property
    def seconds_each(self) -> float:
        """The median of the recent gaps between decisions, pauses left out; 0 when that cannot be said yet."""
        gaps = [after - before for before, after in pairwise(self._times)]
        worked = [gap for gap in gaps if gap < PAUSE_SECONDS]
        return median(worked) if len(worked) >= 3 else 0.0


def _edited(row: int, card: Card) -> str:
    """The words that a card stands by, where they are not its own; a second look knows of none."""
    if row < 0 or isinstance(card, PairCard) or card.text == card.original:
        return ""
    return card.text


def _after(card: Card, state: str, reason: str, text: str) -> Card:
    if isinstance(card, MemoryCard):
        return replace(card, state=state, reason=reason, text=text or card.original)
    if isinstance(card, ProposalCard):
        return replace(card, state=state, text=text or card.original)
    return replace(card, state=state, preferred=text)
