"""What a prompt of a sample shows of the accepted memories: those kept for its question, none, or wrong ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.corpus.holdout import Placing
from core.dataset.scenes import is_before
from core.prompts.render import RecalledMemory
from core.store.chunks import passages
from core.store.conversations import ConversationRow, ExchangeRow, list_conversations
from core.store.database import Database
from core.store.datasets import PartRow
from core.store.memories import accepted_memories

_Places = NDArray[np.int64]

APART = 3
"""Memories of an exchange that are shown apart, each before a copy of its own (RA-DIT: 3)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted memory."""

    id: int
    uid: str
    split: str
    """Of the exchange that it was recalled for: ``train`` or ``validation``."""
    chunk_id: int
    memory: RecalledMemory
    last_day: int
    """Of its passage."""
    conversation_id: int
    """That its passage is from; 0 for a document."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The memories that one exchange's prompt shows, best first, and how they came there."""

    exchange_uid: str
    memory_uids: tuple[str, ...]
    shown: tuple[RecalledMemory, ...]
    recall: str
    """As in ``PartRow``."""

    def apart(self) -> list[Remembered]:
        """Each of the best memories by itself, as RA-DIT shows them; none at all is one way too."""
        alone = [
            Remembered(self.exchange_uid, (uid,), (memory,), self.recall)
            for uid, memory in zip(self.memory_uids[:APART], self.shown[:APART], strict=True)
        ]
        return alone or [self]

    def part(self, shown: bool) -> PartRow:
        if not shown:
            return PartRow(self.exchange_uid, (), "none")
        return PartRow(self.exchange_uid, self.memory_uids, self.recall)


class _Others:
    """Memories to draw wrong ones from, in their order.

    No draw walks over them one by one: a dataset of many exchanges makes many draws from many memories.
    """

    def __init__(self, memories: Sequence[Accepted]) -> None:
        self._memories = memories
        self._days = np.array([memory.last_day for memory in memories], np.int64)
        self._conversations = np.array([memory.conversation_id for memory in memories], np.int64)
        by_chunk: dict[int, list[int]] = {}
        for place, memory in enumerate(memories):
            by_chunk.setdefault(memory.chunk_id, []).append(place)
        self._by_chunk = {chunk_id: np.array(places, np.int64) for chunk_id, places in by_chunk.items()}
        self._seen: tuple[tuple[int, int], _Places] | None = None

    def draw(
        self, conversation: ConversationRow, exchange: ExchangeRow, own: Sequence[Accepted], chance: random.Random
    ) -> list[Accepted]:
        """As many as its own, or all that there are: from passages that are neither its own memories' nor of its
        conversation, and that can be remembered in it."""
        places = self._visible(conversation.id, exchange.first_day)
        same = self._ranks_of({memory.chunk_id for memory in own}, places)
        count = len(places) - len(same)
        # A sample of ranks is the sample of what stands there; each rank steps over those of the same passages.
        drawn = np.array(chance.sample(range(count), min(len(own), count)), np.int64)
        drawn += np.searchsorted(same - np.arange(len(same)), drawn, "right")
        return [self._memories[place] for place in places[drawn]]

    def _ranks_of(self, chunk_ids: set[int], places: _Places) -> _Places:
        """Which of these places hold memories of these passages, by rank, ascending."""
        theirs = [self._by_chunk[chunk_id] for chunk_id in chunk_ids & self._by_chunk.keys()]
        if not theirs or not len(places):
            return np.array([], np.int64)
        wanted = np.sort(np.concatenate(theirs))
        ranks = np.searchsorted(places, wanted).clip(max=len(places) - 1)
        found: _Places = ranks[places[ranks] == wanted]
        return found

    def _visible(self, conversation_id: int, first_day: int) -> _Places:
        """Places of what is from no passage of this conversation and before this day, as ``is_before`` has it.

        Exchanges come in the order of their conversations, and mostly many of one day.
        """
        wanted = (conversation_id, first_day)
        if self._seen is None or self._seen[0] != wanted:
            seen = self._conversations != conversation_id
            if first_day >= 0:
                seen &= self._days < first_day
            self._seen = wanted, np.flatnonzero(seen)
        return self._seen[1]


class Memories:
    """The accepted memories that a dataset may show."""

    def __init__(self, accepted: Mapping[str, Sequence[Accepted]]) -> None:
        """``accepted`` is exchange uid → its memories, best first."""
        self._own = accepted
        in_order = (memory for _, memories in sorted(accepted.items()) for memory in memories)
        self._others = _Others([memory for memory in in_order if memory.split == "train"])

    @classmethod
    def read(cls, database: Database, placing: Placing) -> Memories:
        """Those from passages that are cleared for training, of exchanges that are trained or validated on.

        A conversation that was set aside since a memory was accepted, and the memories that were recalled for its
        questions, may hold the very words that are measured on.
        """
        split_of = {row.id: placing.split_of(row.uid) for row in placing.conversations}
        aside = {row.id for row in list_conversations(database) if placing.split_of(row.uid) != "train"}
        rows = accepted_memories(database)
        found = passages(database, [row.memory.chunk_id for row in rows])
        accepted: dict[str, list[Accepted]] = {}
        for row in rows:
            passage = found[row.memory.chunk_id]
            split = split_of.get(row.conversation_id, "")
            if passage.use == "train" and passage.conversation_id not in aside and split in ("train", "validation"):
                accepted.setdefault(row.exchange_uid, []).append(
                    Accepted(
                        row.memory.id,
                        row.memory.uid,
                        split,
                        row.memory.chunk_id,
                        RecalledMemory(row.edited or row.memory.text, passage.date, passage.title),
                        passage.chunk.last_day,
                        passage.conversation_id,
                    )
                )
        return cls(accepted)

    def words(self) -> Iterator[tuple[str, str]]:
        """(where, text) of each, for the guard."""
        for own in self._own.values():
            yield from ((f"memory m{each.id}", each.memory.text) for each in own)

    def of(self, conversation: ConversationRow, exchange: ExchangeRow, failed_share: float, seed: int) -> Remembered:
        """The memories that this exchange's prompt shows; for a share of exchanges, on purpose, none or wrong ones.

        Wrong ones are drawn from those that were recalled for other exchanges that are trained on.
        """
        own = [memory for memory in self._own.get(exchange.uid, []) if is_before(memory.last_day, exchange)]
        chance = random.Random(f"{seed}:{exchange.uid}")  # noqa: S311 - reproducible, not secret
        kind = "kept" if own else "none"
        if own and chance.random() < failed_share:
            kind = chance.choice(("none", "wrong"))
        if kind == "wrong":
            own = self._others.draw(conversation, exchange, own, chance)
            kind = "wrong" if own else "none"
        if kind == "none":
            own = []
        return Remembered(exchange.uid, tuple(each.uid for each in own), tuple(each.memory for each in own), kind)
