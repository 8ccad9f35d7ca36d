"""Samples as the model reads them, cut where the loss begins and ends to read.

The chat template needs a library that a face must not import; ``segments_apart`` asks a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.dataset.export import find_dataset
from core.errors import DatasetError, SimuleeError
from core.store.datasets import ExampleRow, examples_of, find_example
from core.workspace import Workspace

SECONDS = 60.0
"""A process that has not answered by then never will."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a sample's text; the loss reads the trained ones."""

    text: str
    trained: bool


def sample_segments(workspace: Workspace, base: str, rows: Iterable[ExampleRow]) -> list[list[Segment]]:
    """The exact text of some samples, each cut into its segments."""
    from core.dataset.build import renderer_of
    from core.prompts.messages import Message

    renderer = renderer_of(workspace, base)
    return [
        [
            Segment(each.text, each.trained)
            for each in renderer.segments([Message.of(message) for message in row.messages])
        ]
        for row in rows
    ]


def sample_of(workspace: Workspace, dataset_id: int, number: int) -> ExampleRow:
    """The sample with this number, from 1. Raises DatasetError when there is none."""
    row = find_example(workspace.database, dataset_id, number - 1)
    if row is None:
        count = len(examples_of(workspace.database, dataset_id))
        raise DatasetError(f"ds{dataset_id} has {count} samples", "choose a smaller --example")
    return row


def segments_apart(root: Path, dataset_id: int, position: int, count: int) -> list[list[Segment]]:
    """``sample_segments`` of samples from a place on, in a process of its own: seconds. Raises DatasetError."""
    order = [
        sys.executable,
        "-m",
        "core.dataset.masks",
        str(root.resolve()),
        str(dataset_id),
        str(position),
        str(count),
    ]
    try:
        done = subprocess.run(
            order, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        answer = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        raise DatasetError("the exact text could not be made", "try `simulee dataset show --mask`") from None
    if "error" in answer:
        raise DatasetError(answer["error"], answer["hint"])
    return [[Segment(text, trained) for text, trained in sample] for sample in answer["samples"]]


def main(root: Path, dataset_id: int, position: int, count: int) -> None:
    """Answer with JSON on stdout: the samples, or the error and its hint."""
    answer: dict[str, object]
    try:
        workspace = Workspace.open(root)
        dataset = find_dataset(workspace, str(dataset_id))
        found = [find_example(workspace.database, dataset.id, each) for each in range(position, position + count)]
        samples = sample_segments(workspace, dataset.settings["base"], [row for row in found if row is not None])
        answer = {"samples": [[(each.text, each.trained) for each in sample] for sample in samples]}
    except SimuleeError as error:
        answer = {"error": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
