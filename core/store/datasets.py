"""Datasets: frozen, content-hashed sets of examples, and where every example came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.store.database import Database
from core.store.decisions import memories_taken_otherwise


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One frozen dataset. ``decision`` is the last decision it knows."""

    id: int
    hash: str
    settings: dict[str, Any]
    decision: int
    created_at: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """One exchange of an example, and the memories its prompt showed."""

    exchange_uid: str
    memory_uids: tuple[str, ...]
    recall: str
    """``kept``, ``none`` (withheld or nothing found) or ``wrong`` (drawn from elsewhere on purpose)."""


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One training sample. ``id`` is 0 before it is stored."""

    id: int
    position: int
    split: str
    conversation_uid: str
    messages: list[dict[str, Any]]
    """``role``, ``content``, and ``trained`` for the target's turns."""
    tokens: int
    trained_tokens: int
    parts: tuple[PartRow, ...]

    @property
    def exchanges(self) -> int:
        """How many it teaches; of a log, which names none, the lines of the target."""
        return len(self.parts) or sum(bool(message.get("trained")) for message in self.messages)


@dataclass(frozen=True, slots=True)
class ExampleLine:
    """One sample in a list of many: where it comes from and how long it is, without its words."""

    position: int
    split: str
    title: str
    date: str
    location: str
    """Of the source; empty when the conversation is gone."""
    tokens: int
    trained_tokens: int
    exchanges: int
    """As in ``ExampleRow``."""
    recall: tuple[str, ...]
    """For each of its exchanges, as in ``PartRow``; none for a log."""


def put_dataset(
    db: Database, content_hash: str, settings: dict[str, Any], decision: int, at: str, examples: Sequence[ExampleRow]
) -> int:
    """Store a dataset, or find the one with the same hash. Returns its id. The caller holds the transaction.

    The same samples may be of conversations with other uids by now: they are told anew.
    """
    known = db.value("SELECT id FROM dataset WHERE hash = ?", (content_hash,))
    if known is not None:
        db.execute("UPDATE dataset SET decision = ?, built_at = ? WHERE id = ?", (decision, at, known))
        db.execute_many(
            "UPDATE example SET conversation_uid = ? WHERE dataset_id = ? AND position = ?",
            ((example.conversation_uid, known, example.position) for example in examples),
        )
        return int(known)
    dataset_id = db.insert(
        "INSERT INTO dataset (hash, settings, decision, created_at, built_at) VALUES (?, ?, ?, ?, ?)",
        (content_hash, json.dumps(settings, sort_keys=True), decision, at, at),
    )
    for example in examples:
        example_id = db.insert(
            "INSERT INTO example (dataset_id, position, split, conversation_uid, messages, tokens, trained_tokens)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                dataset_id, example.position, example.split, example.conversation_uid,
                json.dumps(example.messages, ensure_ascii=False), example.tokens, example.trained_tokens,
            ),
        )  # fmt: skip
        db.execute_many(
            "INSERT INTO example_part (example_id, position, exchange_uid, memory_uids, recall) VALUES (?, ?, ?, ?, ?)",
            (
                (example_id, position, part.exchange_uid, json.dumps(part.memory_uids), part.recall)
                for position, part in enumerate(example.parts)
            ),
        )
    return dataset_id


def list_datasets(db: Database) -> list[DatasetRow]:
    """Every dataset; the one built last is last."""
    rows = db.rows("SELECT id, hash, settings, decision, created_at FROM dataset ORDER BY built_at, id")
    return [DatasetRow(row[0], row[1], json.loads(row[2]), row[3], row[4]) for row in rows]


def dataset_of(db: Database, dataset_id: int) -> DatasetRow | None:
    """One dataset by its number."""
    row = db.one("SELECT id, hash, settings, decision, created_at FROM dataset WHERE id = ?", (dataset_id,))
    return DatasetRow(row[0], row[1], json.loads(row[2]), row[3], row[4]) if row else None


def newer_decisions(db: Database, row: DatasetRow) -> int:
    """How many memories would be in a dataset like this one if it were built now, and are not in this one, or the
    other way round, or in other words; decisions about anything else change no dataset."""
    return memories_taken_otherwise(db, row.decision) if row.settings.get("memories") else 0


def examples_of(db: Database, dataset_id: int, split: str | None = None) -> list[ExampleRow]:
    """The examples of a dataset in their order, all splits or one."""
    rows = db.rows(
        "SELECT id, position, split, conversation_uid, messages, tokens, trained_tokens FROM example"
        " WHERE dataset_id = ? AND (? IS NULL OR split = ?) ORDER BY position",
        (dataset_id, split, split),
    )
    return [
        ExampleRow(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6], _parts(db, row[0]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class SplitSize:
    """What one split of a dataset holds."""

    examples: int
    tokens: int
    trained_tokens: int


def split_sizes(db: Database, dataset_id: int) -> dict[str, SplitSize]:
    """Each split's size, without reading the examples."""
    rows = db.rows(
        "SELECT split, count(*), sum(tokens), sum(trained_tokens) FROM example WHERE dataset_id = ? GROUP BY split",
        (dataset_id,),
    )
    return {str(row[0]): SplitSize(int(row[1]), int(row[2]), int(row[3])) for row in rows}


def find_example(db: Database, dataset_id: int, position: int) -> ExampleRow | None:
    """One example by its place, from 0."""
    row = db.one(
        "SELECT id, position, split, conversation_uid, messages, tokens, trained_tokens FROM example"
        " WHERE dataset_id = ? AND position = ?",
        (dataset_id, position),
    )
    if row is None:
        return None
    return ExampleRow(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6], _parts(db, row[0]))


def example_lines(db: Database, dataset_id: int) -> list[ExampleLine]:
    """Every example of a dataset as a line, in their order."""
    origins = {
        row[0]: (str(row[1]), str(row[2]), str(row[3]))
        for row in db.rows(
            "SELECT conversation.uid, title, date, location FROM conversation JOIN source ON source.id = source_id"
        )
    }
    recall: dict[int, list[str]] = {}
    for row in db.rows(
        "SELECT example_id, recall FROM example_part JOIN example ON example.id = example_id"
        " WHERE dataset_id = ? ORDER BY example_id, example_part.position",
        (dataset_id,),
    ):
        recall.setdefault(row[0], []).append(row[1])
    rows = db.rows(
        "SELECT id, position, split, conversation_uid, tokens, trained_tokens,"
        " CASE WHEN EXISTS (SELECT 1 FROM example_part WHERE example_id = example.id) THEN 0 ELSE"
        " (SELECT count(*) FROM json_each(messages) AS message WHERE message.value ->> 'trained') END"
        " FROM example WHERE dataset_id = ? ORDER BY position",
        (dataset_id,),
    )
    return [
        ExampleLine(
            row[1], row[2], *origins.get(row[3], ("", "", "")), row[4], row[5],
            len(shown := tuple(recall.get(row[0], ()))) or row[6], shown,
        )
        for row in rows
    ]  # fmt: skip


def trained_conversations(db: Database, dataset_id: int) -> set[str]:
    """Uids of the conversations that a dataset's training samples are made of."""
    rows = db.rows(
        "SELECT DISTINCT conversation_uid FROM example WHERE dataset_id = ? AND split = 'train'", (dataset_id,)
    )
    return {str(row[0]) for row in rows}


def trained_texts(db: Database, dataset_id: int) -> Iterator[str]:
    """What is said in a dataset's training samples, whoever says it; not what the system message tells of the scene,
    which is no conversation's."""
    for (messages,) in db.rows("SELECT messages FROM example WHERE dataset_id = ? AND split = 'train'", (dataset_id,)):
        for message in json.loads(messages):
            if message["role"] != "system":
                yield str(message["content"])


def hand_on_samples(db: Database, gone: str, heir: str) -> None:
    """Say that the samples of one conversation are of another, which is its corrected form.

    No hash of a dataset changes: it is of what the samples say. The caller holds the transaction.
    """
    db.execute("UPDATE example SET conversation_uid = ? WHERE conversation_uid = ?", (heir, gone))


def completes_logs(db: Database, dataset_id: int | None) -> bool:
    """Whether the samples of a dataset are in the text-completion form."""
    dataset = None if dataset_id is None else dataset_of(db, dataset_id)
    return dataset is not None and dataset.settings.get("form") == "completion"


def _parts(db: Database, example_id: int) -> tuple[PartRow, ...]:
    rows = db.rows(
        "SELECT exchange_uid, memory_uids, recall FROM example_part WHERE example_id = ? ORDER BY position",
        (example_id,),
    )
    return tuple(PartRow(row[0], tuple(json.loads(row[1])), row[2]) for row in rows)
