"""What a merge does with each table: a table that is not named here cannot be forgotten, for a test compares the list
with the schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.store.database import Database

RULES = {
    # The corpus (corpus.py)
    "source": "by uid; a use that a person chose before a rule's, else the stricter one; never one half imported",
    "document": "by source and uid; of two texts the one imported later; what another source here holds is left out",
    "tiddler": "with a document that is brought or replaced",
    "synced_tiddler": "stays: a folder is of one machine",
    "conversation": "as document, its turns and exchanges with it; a corrected one in the form that was imported later",
    "turn": "with a conversation that is brought or replaced",
    "exchange": "with a conversation that is brought or replaced; else this side's, which follow from its own names",
    "conversation_split": "by conversation; a person's word before a rule's, else the one that is further set aside",
    # Passages and memories (passages.py)
    "chunk": "by uid, where the words are here and were not cut otherwise, and may be used",
    "chunked": "with an owner's passages, once all are here",
    "chunk_text": "made anew for passages that are brought",
    "vector": "by passage, model and revision; the index over them is dropped and made by the next search",
    "mention": "with a passage that is brought",
    "question": "by uid, of passages that were not asked about here, or in the same way",
    "questioned": "with a passage's questions",
    "question_vector": "by question, model and revision",
    "memory": "by uid, where its exchange and its passage are here; else left out and counted",
    "judgement": "of memories that nobody judged here",
    "recalled": "of exchanges that nobody recalled for here, once all of their memories are here",
    # The review (review.py)
    "decision": "by batch, all of them: both logs folded into one, the same from either side",
    "second_look": "as decision, in its place in the log",
    "foretold": "with its decision",
    "card_state": "the fold of the merged log",
    "blind_draw": "by person and memory, in the order of the draws",
    "learned": "dropped when there is something else to learn from; it is learned again",
    # Results (results.py)
    "dataset": "by content hash; it knows the decisions before the first that it cannot have known",
    "example": "with its dataset",
    "example_part": "with its dataset",
    "adapter": "by hash, with its files; under a free name where its own is taken",
    "active_adapter": "stays",
    "scorecard": "by time and content",
    # Talk (talk.py)
    "session": "by when it began and its first words",
    "message": "by what was said, and when",
    "message_text": "follows its messages by triggers",
    "message_memory": "with its message; a passage that is not here is named no more, its words stay",
    "receipt": "with its message",
    "message_rating": "the later one",
    "pair": "by uid; what it rests on as told by the side that can",
    "proposal": "by uid",
    "statement": "by uid",
    "statement_end": "by statement: what was taken back on either side holds no more",
    # Calls (calls.py)
    "model_call": "by everything told before it left; an outcome closes a row that is open here",
    "call_cache": "by key",
    "call_batch": "by name: what is paid for can be fetched from either side",
    "consent": "stays: a person gives it on each machine",
    "parked": "stays: the next run here asks again by itself",
}
"""Table → what is brought from the other side."""
SHADOWS = ("chunk_text_", "message_text_")
"""How the names of FTS5's own tables begin."""


@dataclass
class Tally:
    """What a merge brought, and what it left out, by noun."""

    added: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    """Decisions on cards that are not here: they count once the card comes."""


@contextmanager
def attached(db: Database, path: Path) -> Iterator[None]:
    """The other side's database as the schema ``other``, outside a transaction."""
    db.execute("ATTACH DATABASE ? AS other", (str(path),))
    try:
        yield
    finally:
        db.execute("DETACH DATABASE other")


def changes(db: Database, sql: str, parameters: tuple[object, ...] = ()) -> int:
    """Run one statement and return how many rows it changed."""
    before = db.connection.total_changes()
    db.execute(sql, parameters)
    return db.connection.total_changes() - before
