"""An adapter beside its base, merged into it, and taken out again."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from core.models.causal_lm import BASE, CausalLM

IDS = [[1, 500, 900, 40, 77, 3, 260, 5]]
SCORED = [[1, 2, 3, 4, 5, 6, 7]]


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA whose two halves are both random, so that it changes what the base says."""
    from peft import LoraConfig, get_peft_model

    lm = CausalLM("SmolLM2-135M-Instruct")
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = get_peft_model(
            lm.model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
        )
        model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.slow
def test_merged_it_says_the_same_and_unmerged_the_base_is_what_it_was_to_the_bit(adapter: Path) -> None:
    lm = CausalLM("SmolLM2-135M-Instruct")
    base = lm.token_log_probabilities(IDS, SCORED)
    lm.load_adapter("one", adapter, "hash")
    beside, beside_identity = lm.token_log_probabilities(IDS, SCORED), lm.identity
    lm.use("one", merge=True)
    merged = lm.token_log_probabilities(IDS, SCORED)
    assert beside[0] != base[0]
    assert merged[0] == pytest.approx(beside[0], abs=2e-3)
    assert lm.identity != beside_identity
    lm.use(BASE)
    assert lm.token_log_probabilities(IDS, SCORED) == base
    lm.use("one")
    assert lm.token_log_probabilities(IDS, SCORED) == beside
