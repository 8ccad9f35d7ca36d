"""An adapter beside its base, merged into it, and taken out again."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from core.models.causal_lm import BASE, WHOLE, CausalLM
from core.models.packaged import smollm2_folder

IDS = [[1, 500, 900, 40, 77, 3, 260, 5]]
SCORED = [[1, 2, 3, 4, 5, 6, 7]]


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA whose two halves are both random, so that it changes what the base says."""
    lm = CausalLM("SmolLM2-135M-Instruct")
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = get_peft_model(
            lm.model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
        )
        model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def folder_of(model: Any, folder: Path) -> str:
    """A model that was made here, with the tokenizer that comes along, as a folder that can be named."""
    model.save_pretrained(folder)
    for file in smollm2_folder().iterdir():
        if file.name.startswith(("tokenizer", "special", "vocab", "merges", "chat_template")):
            shutil.copy(file, folder / file.name)
    return str(folder)


SMALL = {
    "vocab_size": 49_152, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.5,
}  # fmt: skip


OTHERS = {
    "scaled logits": lambda: transformers.GraniteConfig(**SMALL, logits_scaling=8.0),
    "capped logits and attention, which SDPA cannot": lambda: transformers.Gemma2Config(**SMALL, head_dim=8),
    "another head": lambda: transformers.GPTNeoXConfig(**SMALL, tie_word_embeddings=False),
    "other names for its parts": lambda: transformers.GPT2Config(
        vocab_size=49_152, n_embd=32, n_layer=2, n_head=4, initializer_range=0.5
    ),
}


@pytest.mark.parametrize("family", OTHERS)
def test_other_families_are_read_as_they_are(tmp_path: Path, family: str) -> None:
    torch.manual_seed(2)
    config = OTHERS[family]()
    lm = CausalLM(folder_of(AutoModelForCausalLM.from_config(config), tmp_path / "base"))
    rows, scored = [IDS[0], IDS[0][:5]], [[2, 3, 7], [4]]
    with torch.inference_mode():
        own = [torch.log_softmax(lm.model(torch.tensor([row])).logits[0].float(), -1) for row in rows]
    wanted = [[float(own[n][at - 1, rows[n][at]]) for at in positions] for n, positions in enumerate(scored)]
    for found, expected in zip(lm.token_log_probabilities(rows, scored), wanted, strict=True):
        assert found == pytest.approx(expected, abs=1e-3)
    after = lm.token_log_probabilities_after(IDS[0][:2], [IDS[0][2:]], [[1, 5]])
    assert after[0] == pytest.approx(wanted[0][1:], abs=1e-3)
    if "logits" in family:
        assert lm.identity != lm.revision, "what was scored otherwise is not to be met in a cache"


def test_a_lora_and_a_training_of_every_weight_take_turns(tmp_path: Path) -> None:
    torch.manual_seed(3)
    base = LlamaForCausalLM(LlamaConfig(**SMALL))
    name = folder_of(base, tmp_path / "base")
    whole = tmp_path / "whole"
    whole.mkdir()
    other = LlamaForCausalLM(LlamaConfig(**SMALL))
    save_file({key: value.clone() for key, value in other.state_dict().items() if key != "lm_head.weight"},
              whole / WHOLE)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        lora = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
        lora.save_pretrained(tmp_path / "lora")

    def said(order: tuple[str, ...]) -> dict[str, list[list[float]]]:
        lm = CausalLM(name)
        found = {BASE: lm.token_log_probabilities(IDS, SCORED)}
        for each in order:
            lm.load_adapter(each, tmp_path / each, each)
            found[each] = lm.token_log_probabilities(IDS, SCORED)
        lm.use(BASE)
        assert lm.token_log_probabilities(IDS, SCORED) == found[BASE]
        for each in reversed(order):
            lm.use(each)
            assert lm.token_log_probabilities(IDS, SCORED) == found[each]
        return found

    one, two = said(("lora", "whole")), said(("whole", "lora"))
    assert len({str(values) for values in one.values()}) == 3
    for each, values in one.items():
        assert values[0] == pytest.approx(two[each][0], abs=1e-4)


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
