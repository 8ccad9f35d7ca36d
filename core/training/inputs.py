"""What the trainer reads: samples as token ids and labels, packed into rows that keep them apart.

A row is one or more samples end to end. Their positions start anew, from which transformers draws a block-diagonal
mask: no sample sees another, and the log-probabilities are those of the samples alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import datasets

from core.errors import TrainingError
from core.prompts.messages import Message
from core.prompts.render import Renderer
from core.store.datasets import ExampleRow

Sample = dict[str, list[int]]
"""``input_ids`` and ``labels`` of one length; a label is −100 where the loss does not read."""


def sample_of(renderer: Renderer, row: ExampleRow) -> Sample:
    """A stored sample as the model reads it."""
    ids, labels = renderer.tokens([Message.of(message) for message in row.messages])
    return {"input_ids": ids, "labels": labels}


def check_lengths(samples: Sequence[Sample], context: int, base: str) -> None:
    """Raises TrainingError where a sample is longer than what the base can read."""
    too_long = [len(sample["input_ids"]) for sample in samples if len(sample["input_ids"]) > context]
    if context and too_long:
        raise TrainingError(
            f"{len(too_long)} samples are longer than the {context} tokens that {base} reads; the longest has"
            f" {max(too_long)}",
            f"set max_tokens under [dataset] to {context} or less, then simulee dataset build",
        )


def rows_of(samples: Sequence[Sample], longest: int, packing: bool) -> datasets.Dataset:
    """Samples as the rows of a dataset, each with ``seq_lengths``; packed best-fit into rows of up to ``longest``."""
    if not packing:
        return datasets.Dataset.from_list([{**each, "seq_lengths": [len(each["input_ids"])]} for each in samples])
    from trl import pack_dataset

    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed: Any = pack_dataset(
            datasets.Dataset.from_list(list(samples)).with_format("arrow"), longest, "bfd"
        ).with_format(None)
    return packed
