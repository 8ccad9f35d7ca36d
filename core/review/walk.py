"""Walking a review queue: an order, a filter, a place in it, and what is known of each card's state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, cast

from core.errors import UsageError
from core.review.decisions import STATE_AFTER, Actor, CardKind, Decision, decide, redo, undo
from core.review.second_looks import due, is_camouflage, woven
from core.store import review_queue as store
from core.store.blind_draws import drawn as blind_draws
from core.store.decisions import newest_first
from core.store.learned import memories_by_learned
from core.store.review_queue import STATES, WAITING, Card, MemoryCard, QueueIds
from core.store.second_looks import SECOND
from core.workspace import Workspace

Order = Literal["exchange", "score", "uncertainty", "time"]
ORDERS: tuple[Order, ...] = ("exchange", "score", "uncertainty", "time")
ACCEPT_BITS = 0.0
"""Bits per question token from which the rule by default accepts; a judge is least sure near it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cards: every word occurs in them, and their state is one of these."""

    words: tuple[str, ...] = ()
    states: tuple[str, ...] = WAITING

    @classmethod
    def parse(cls, text: str) -> Filter:
        """``charts state:rejected``; ``state:all`` for every one. Raises UsageError for an unknown state."""
        words = []
        states: list[str] = []
        for word in text.split():
            name, colon, value = word.partition(":")
            if name != "state" or not colon:
                words.append(word)
            elif value == "all":
                states += STATES
            elif value in STATES:
                states.append(value)
            else:
                raise UsageError(f"there is no state {value!r}", f"state: takes {', '.join(STATES)} or all")
        return cls(tuple(words), tuple(dict.fromkeys(states)) or WAITING)


@dataclass(slots=True)
class Walk:
    """A queue as it was when it was read. Cards keep their place in it while they are decided.

    A negative row id is a second look at a memory (``core.review.second_looks``), a card of its own here.
    """

    kind: CardKind
    ids: list[int]
    groups: list[int]
    """For each card, the exchange it belongs to, or 0."""
    total: int
    """Every card of this kind, whatever the filter."""
    states: dict[int, str] = field(default_factory=dict)
    """Row id → state, for cards that are not pending."""
    blind: frozenset[int] = frozenset()
    """Row ids of what was drawn for the person's blind sample."""
    head: int = 0
    """How many cards at the head keep their place whatever the order: the blind sample that waits."""
    looks: set[int] = field(default_factory=set)
    """Row ids of the memories that are looked at again."""
    counts: dict[str, int] = field(init=False)
    """How many of all cards of this kind are in each state."""

    def __post_init__(self) -> None:
        self.counts = dict.fromkeys(STATES, 0) | Counter(self.states.values())
        self.counts["pending"] = max(0, self.total - len(self.states))

    def place_of(self, row: int) -> int | None:
        """Where a card stands in the queue, or None."""
        try:
            return self.ids.index(row)
        except ValueError:
            return None

    def state(self, place: int) -> str:
        """The state of the card at a place."""
        return self.states.get(self.ids[place], "pending")

    def waits(self, place: int) -> bool:
        """Whether the card was not decided yet, or was put off."""
        return self.state(place) in WAITING

    def next_pending(self, place: int, step: int = 1) -> int | None:
        """The nearest card that was never decided on after (or before) a place, or None."""
        for other in range(place + step, len(self.ids) if step > 0 else -1, step):
            if self.ids[other] not in self.states:
                return other
        return None

    def next_waiting(self, place: int, step: int = 1) -> int | None:
        """The same with the cards that were put off."""
        places = range(place + step, len(self.ids) if step > 0 else -1, step)
        return next((other for other in places if self.waits(other)), None)

    @property
    def put_off(self) -> int:
        """How many of all cards of this kind were put off and still wait."""
        return sum(self.counts[state] for state in WAITING if state != "pending")

    def last_of(self, rows: Sequence[int]) -> int | None:
        """Where the last of some cards stands in the queue, or None."""
        if len(rows) == 1:
            return self.place_of(rows[0])
        wanted = set(rows)
        return next((place for place in reversed(range(len(self.ids))) if self.ids[place] in wanted), None)

    def group_of(self, place: int) -> list[int]:
        """The places of the cards of the same exchange; without exchanges, only this one."""
        group = self.groups[place]
        if group == 0:
            return [place]
        return [other for other, value in enumerate(self.groups) if value == group]

    def next_group(self, place: int, step: int) -> int | None:
        """Where the next (or previous) exchange begins in this order, or None."""
        place = self._group_start(place) if step < 0 else place
        for other in range(place + step, len(self.ids) if step > 0 else -1, step):
            if self.groups[other] != self.groups[place] or self.groups[place] == 0:
                return other if step > 0 else self._group_start(other)
        return None

    def _group_start(self, place: int) -> int:
        while place > 0 and self.groups[place] != 0 and self.groups[place - 1] == self.groups[place]:
            place -= 1
        return place

    def set_state(self, row: int, state: str) -> None:
        """A card was decided. A second look counts for none: its card was counted when it was decided first."""
        if row > 0:
            self.counts[self.states.get(row, "pending")] -= 1
            self.counts[state] += 1
        self.states[row] = state

    def weave(self, looks: Sequence[tuple[int, int]]) -> None:
        """Put second looks in: (place, row id), by place, each before the card that is there now."""
        self.looks |= {row for _, row in looks}
        for place, row in reversed(looks):
            self.ids.insert(place, -row)
            self.groups.insert(place, 0)


def open_walk(
    workspace: Workspace, kind: CardKind, order: Order, wanted: Filter, keep: Sequence[str] = (), person: str = ""
) -> Walk:
    """Read a queue. Cards whose uids are in ``keep`` stay in it whatever their state: what was decided here before.

    For a person by name, what waits of their blind sample comes first, and second looks stand among the memories.
    """
    database = workspace.database
    ids: QueueIds
    if kind != "memory":
        ids = store.cards_by_age(database, kind)
    elif order == "score":
        ids = store.memories_by_score(database)
    elif order == "uncertainty":
        learned = memories_by_learned(database, person) if person else None
        ids = store.memories_by_uncertainty(database, ACCEPT_BITS) if learned is None else learned
    elif order == "time":
        ids = store.memories_by_time(database)
    else:
        ids = store.memories_by_exchange(database)
    total = len(ids)
    states = store.decided_states(database, kind)
    if wanted.words:
        found = store.matching(database, kind, wanted.words)
        ids = [each for each in ids if each[0] in found]
    if set(wanted.states) != set(STATES) and (states or "pending" not in wanted.states):
        shown = set(wanted.states)
        kept = {store.card_place(database, kind, uid) for uid in keep}
        pending = "pending" in shown
        ids = [
            each
            for each in ids
            if (states[each[0]] in shown if each[0] in states else pending) or each[0] in kept
        ]  # fmt: skip
    drawn = blind_draws(database, person) if kind == "memory" and person else []
    waiting = {each.memory_id: place for place, each in enumerate(drawn) if each.state == "pending"}
    first = sorted((each for each in ids if each[0] in waiting), key=lambda each: waiting[each[0]]) if waiting else []
    if first:
        ids = first + [each for each in ids if each[0] not in waiting]
    walk = Walk(
        kind,
        [each[0] for each in ids],
        [each[1] for each in ids],
        total,
        states,
        frozenset(each.memory_id for each in drawn),
        len(first),
    )
    if kind == "memory" and person and wanted == Filter() and (rows := due(database, person)):
        walk.weave(woven(person, walk.ids, walk.states, rows, len(first)))
    return walk


def load_cards(workspace: Workspace, kind: CardKind, ids: Sequence[int], walk: Walk, person: str) -> dict[int, Card]:
    """The cards of a walk with these row ids, as this person may see them."""
    database = workspace.database
    cards = store.load_cards(database, kind, [abs(row) for row in ids])
    found: dict[int, Card] = {}
    for row in ids:
        card = cards.get(abs(row))
        if card is None:
            continue
        if isinstance(card, MemoryCard):
            if row < 0:
                card = replace(card, state="pending", text=card.original, reason="", veiled=True)
            elif row in walk.blind or (walk.looks and row not in walk.states and is_camouflage(person, row)):
                card = replace(card, veiled=True)
        found[row] = card
    return found


def place_of(workspace: Workspace, kind: CardKind, uid: str) -> int | None:
    """The row id of a card, or None when it is gone."""
    return store.card_place(workspace.database, kind, uid)


def queues(workspace: Workspace) -> list[tuple[CardKind, int, int]]:
    """For each queue: its kind, how many wait, how many there are."""
    kinds: tuple[CardKind, ...] = ("memory", "pair", "proposal")
    found = []
    for kind in kinds:
        total = store.count_cards(workspace.database, kind)
        decided = sum(state not in WAITING for state in store.decided_states(workspace.database, kind).values())
        found.append((kind, total - decided, total))
    return found


def recent_decisions(workspace: Workspace, kind: CardKind, count: int) -> list[tuple[str, Card, str]]:
    """The last decisions on cards of a kind that still say how the card stands: (state, card, reason), oldest first."""
    found: list[tuple[str, Card, str]] = []
    seen: set[str] = set()
    for row in islice(newest_first(workspace.database), 20 * count):
        if row.card_kind != kind or row.card_uid in seen:
            continue
        seen.add(row.card_uid)
        place = store.card_place(workspace.database, kind, row.card_uid)
        card = store.load_cards(workspace.database, kind, [place]).get(place) if place is not None else None
        if place is not None and card is not None and card.state == STATE_AFTER[row.verb]:
            found.append((card.state, card, row.reason))
        if len(found) == count:
            break
    return found[::-1]


def commit(workspace: Workspace, actor: Actor, decisions: Sequence[Decision]) -> None:
    """Commit decisions as one batch."""
    decide(workspace.database, actor, decisions)


@dataclass(frozen=True, slots=True)
class Taken:
    """One card of a batch that was taken back or brought back."""

    card_kind: CardKind
    card_uid: str
    second: bool = False
    """A second look at it."""


def take_back(workspace: Workspace, act: str, actor: Actor) -> list[Taken]:
    """``undo`` or ``redo`` the last batch. Raises UsageError when there is none."""
    rows = (undo if act == "undo" else redo)(workspace.database, actor)
    return [
        Taken("memory", row.card_uid, second=True)
        if row.card_kind == SECOND
        else Taken(cast(CardKind, row.card_kind), row.card_uid)
        for row in rows
    ]
