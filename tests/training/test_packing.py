"""Samples that share a row are apart: each has the log-probabilities that it has alone."""

from __future__ import annotations

import random

import pytest
import torch

from core.models.causal_lm import CausalLM
from core.training.amounts import rows_per_step
from core.training.inputs import Sample, rows_of

LONGEST = 96


def _samples(count: int, seed: int) -> list[Sample]:
    chance = random.Random(seed)
    samples = []
    for _ in range(count):
        ids = [chance.randrange(100, 40_000) for _ in range(chance.randint(8, LONGEST // 2))]
        samples.append({"input_ids": ids, "labels": [-100] * 4 + ids[4:]})
    return samples


def test_every_sample_is_in_one_row_whole_and_no_row_is_too_long() -> None:
    samples = _samples(40, 1)
    rows = rows_of(samples, LONGEST, packing=True)
    assert len(rows) < len(samples)
    found = []
    for row in rows:
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) == len(row["labels"]) <= LONGEST
        start = 0
        for length in row["seq_lengths"]:
            found.append((row["input_ids"][start : start + length], row["labels"][start : start + length]))
            start += length
    assert sorted(found) == sorted((each["input_ids"], each["labels"]) for each in samples)


def test_without_packing_rows_are_the_samples_in_their_order() -> None:
    samples = _samples(3, 2)
    rows = rows_of(samples, LONGEST, packing=False)
    assert [row["input_ids"] for row in rows] == [each["input_ids"] for each in samples]


def test_a_step_reads_about_as_many_samples_however_they_are_packed() -> None:
    assert rows_per_step(samples=80, rows=80, batch=8) == 8
    assert rows_per_step(samples=80, rows=20, batch=8) == 2
    assert rows_per_step(samples=80, rows=3, batch=8) == 1
    assert rows_per_step(samples=80, rows=80, batch=8, processes=4) == 8
    assert rows_per_step(samples=80, rows=3, batch=8, processes=2) == 2


@pytest.mark.slow
def test_packed_and_unpacked_log_probabilities_agree() -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    samples = _samples(5, 3)
    (row,) = rows_of(samples, 5 * LONGEST, packing=True)
    lm = CausalLM("SmolLM2-135M-Instruct")
    batch = DataCollatorForLanguageModeling(0, padding_free=True)([row])
    with torch.inference_mode():
        read = lm.model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
        together = read.logits[0].log_softmax(-1)
        start = 0
        for length in row["seq_lengths"]:
            ids = torch.tensor([row["input_ids"][start : start + length]])
            alone = lm.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
            assert torch.allclose(together[start : start + length], alone, atol=2e-3)
            start += length
        # The test can fail: where positions go on, samples do see each other.
        blind = lm.model(input_ids=batch["input_ids"], use_cache=False).logits[0].log_softmax(-1)
    second = row["seq_lengths"][0]
    assert not torch.allclose(blind[second:], together[second:], atol=0.1)
