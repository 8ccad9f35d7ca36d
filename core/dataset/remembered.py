"""What a prompt of a sample shows of the accepted memories: those kept for its question, none, or wrong ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.dataset.scenes import is_before
from core.prompts.render import RecalledMemory
from core.store.chunks import passages
from core.store.conversations import ConversationRow, ExchangeRow, list_conversations, trainable_conversations
from core.store.database import Database
from core.store.datasets import PartRow
from core.store.memories import accepted_memories

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


class Memories:
    """The accepted memories that a dataset may show."""

    def __init__(self, accepted: Mapping[str, Sequence[Accepted]]) -> None:
        """``accepted`` is exchange uid → its memories, best first."""
        self._own = accepted

    @classmethod
    def read(cls, database: Database, splits: Mapping[str, str]) -> Memories:
        """Those from passages that are cleared for training, of exchanges that are trained or validated on.

        ``splits`` is conversation uid → split. A conversation that was set aside since a memory was accepted, and the
        memories that were recalled for its questions, may hold the very words that are measured on.
        """
        trainable = {row.id: splits.get(row.uid, "train") for row in trainable_conversations(database)}
        aside = {row.id for row in list_conversations(database) if splits.get(row.uid, "train") != "train"}
        rows = accepted_memories(database)
        found = passages(database, [row.memory.chunk_id for row in rows])
        accepted: dict[str, list[Accepted]] = {}
        for row in rows:
            passage = found[row.memory.chunk_id]
            split = trainable.get(row.conversation_id, "")
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
            others = [
                memory
                for uid, memories in sorted(self._own.items())
                if uid != exchange.uid
                for memory in memories
                if memory.split == "train"
                and memory.conversation_id != conversation.id
                and is_before(memory.last_day, exchange)
                and memory.chunk_id not in {each.chunk_id for each in own}
            ]
            own = chance.sample(others, min(len(own), len(others)))
            kind = "wrong" if own else "none"
        if kind == "none":
            own = []
        return Remembered(exchange.uid, tuple(each.uid for each in own), tuple(each.memory for each in own), kind)
