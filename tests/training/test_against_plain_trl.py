"""What is ours changes the speed, not the mathematics: losses step by step are plain TRL's on the same samples."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import pytest

from core.models.causal_lm import CausalLM
from core.settings import TrainingSettings
from core.training.base_model import trainable
from core.training.inputs import Sample, rows_of
from core.training.means import Means
from core.training.spoken_loss import SpokenTokensTrainer

MEANS = Means("lora", "float32", "sdpa", "adamw_torch_fused", 1, False, False, False, False, 0)
STEPS = 5
BASE = "SmolLM2-135M-Instruct"


def _samples() -> list[Sample]:
    chance = random.Random(5)
    samples = []
    for length in (24, 40, 17, 33, 28, 21):
        ids = [chance.randrange(100, 40_000) for _ in range(length)]
        samples.append({"input_ids": ids, "labels": [-100] * (length // 2) + ids[length // 2 :]})
    return samples


def _losses(folder: Path, kind: Any, ours: bool, accumulate: int, packed: bool = False) -> list[float]:
    import datasets
    import transformers
    from transformers import AutoTokenizer
    from trl import SFTConfig

    transformers.set_seed(0)
    lm = CausalLM(BASE)
    transformers.set_seed(0)
    model = trainable(lm, MEANS, TrainingSettings(), None)
    samples = _samples()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = SFTConfig(
            output_dir=str(folder), per_device_train_batch_size=1, gradient_accumulation_steps=accumulate,
            learning_rate=1e-3, lr_scheduler_type="cosine", max_steps=STEPS, seed=0, data_seed=0, logging_steps=1,
            save_strategy="no", bf16=False, gradient_checkpointing=False, max_length=None, padding_free=ours,
            remove_unused_columns=not ours, dataset_kwargs={"skip_prepare_dataset": True}, disable_tqdm=True,
            dataloader_pin_memory=False, report_to=[],
        )  # fmt: skip
        trainer = kind(
            model=model,
            args=config,
            train_dataset=rows_of(samples, 200, packed) if ours else datasets.Dataset.from_list(samples),
            processing_class=AutoTokenizer.from_pretrained(lm.folder),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return [float(each["loss"]) for each in trainer.state.log_history if "loss" in each]


@pytest.mark.slow
def test_losses_are_those_of_plain_trl(tmp_path: Path) -> None:
    from trl import SFTTrainer

    plain = _losses(tmp_path / "plain", SFTTrainer, ours=False, accumulate=3)
    assert len(plain) == STEPS
    assert plain[-1] < plain[0]
    assert _losses(tmp_path / "ours", SpokenTokensTrainer, ours=True, accumulate=3) == pytest.approx(plain, abs=1e-4)


@pytest.mark.slow
def test_samples_that_share_a_row_make_the_step_that_they_make_one_by_one(tmp_path: Path) -> None:
    from trl import SFTTrainer

    plain = _losses(tmp_path / "plain", SFTTrainer, ours=False, accumulate=6)
    packed = _losses(tmp_path / "packed", SpokenTokensTrainer, ours=True, accumulate=1, packed=True)
    assert packed == pytest.approx(plain, abs=1e-4)
