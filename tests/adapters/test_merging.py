"""Merging keeps the precision of the base, and refuses weights that are none."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModelError
from core.store.adapters import AdapterRow

pytestmark = pytest.mark.slow
ROW = AdapterRow(0, "sft-1", None, "sft-1", "small", "", 0, "adapters/sft-1", "", {}, "")


@pytest.fixture
def halves(tmp_path: Path) -> tuple[Any, Path, Path]:
    """A LoRA beside a small base in bfloat16: PEFT's model, the adapter's folder, the base's."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    base = LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=2, num_key_value_heads=1)).to(torch.bfloat16)
    base.save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").write_text("{}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
        model.save_pretrained(tmp_path / "lora")
    assert isinstance(model, PeftModel)
    return model.eval(), tmp_path / "lora", tmp_path / "base"


def test_a_base_in_half_precision_stays_so(halves: tuple[Any, Path, Path], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from core.adapters.merged import write_merged

    live, lora, base = halves
    write_merged(ROW, lora, base, tmp_path / "out")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").eval()
    assert merged.dtype == torch.bfloat16
    assert (tmp_path / "out" / "tokenizer.json").read_text() == "{}"
    ids = torch.tensor([[1, 5, 9, 40, 3]])
    with torch.no_grad():
        said, meant = merged(ids).logits.float(), live(ids).logits.float()
        with live.disable_adapter():
            plain = live(ids).logits.float()
    assert (said - meant).abs().max() < 0.1 * (meant - plain).abs().max()


def test_weights_that_are_not_finite_are_not_merged(halves: tuple[Any, Path, Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from core.adapters.merged import write_merged

    _, lora, base = halves
    path = lora / "adapter_model.safetensors"
    weights = load_file(path)
    weights[min(weights)] = torch.full_like(weights[min(weights)], float("nan"))
    save_file(weights, path)
    with pytest.raises(ModelError, match="sft-1 cannot be merged into small"):
        write_merged(ROW, lora, base, tmp_path / "out")
    assert not (tmp_path / "out").exists()
