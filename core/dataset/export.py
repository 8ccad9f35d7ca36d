"""Write a frozen dataset in a format that other tools read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.errors import UsageError
from core.store.datasets import DatasetRow, ExampleRow, examples_of, list_datasets
from core.workspace import Workspace

FORMATS = ("openai", "messages")


def find_dataset(workspace: Workspace, reference: str | None) -> DatasetRow:
    """The newest dataset, or the one with this number, ``ds<number>`` or hash. Raises UsageError."""
    rows = list_datasets(workspace.database)
    if reference is not None:
        wanted = reference.removeprefix("ds")
        rows = [row for row in rows if str(row.id) == wanted or row.hash == reference]
    if not rows:
        which = "no dataset" if reference is None else f"no dataset {reference!r}"
        raise UsageError(f"there is {which} here", "simulee dataset build makes one")
    return rows[-1]


def export(workspace: Workspace, dataset: DatasetRow, format_name: str) -> list[Path]:
    """Write one JSONL file per split under ``exports/``; only messages, as OpenAI's fine-tuning reads them.

    Raises UsageError for an unknown format.
    """
    if format_name not in FORMATS:
        raise UsageError(f"no export format {format_name!r}", f"choose one of: {', '.join(FORMATS)}")
    written = []
    for split in ("train", "validation"):
        rows = examples_of(workspace.database, dataset.id, split)
        if not rows:
            continue
        path = workspace.exports / f"dataset-{dataset.id}-{split}.{format_name}.jsonl"
        with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            for row in rows:
                file.write(messages_line(row))
        written.append(path)
    return written


def messages_line(row: ExampleRow) -> str:
    """A sample as one line of the formats ``openai`` and ``messages``."""
    messages = [{"role": message["role"], "content": message["content"]} for message in row.messages]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"
