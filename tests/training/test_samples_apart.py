"""Whatever hands a state from token to token in a base: the samples of a run's batch have the log-probabilities that
they have alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from core.settings import TrainingSettings
from core.training.attention import keeps_samples_apart
from core.training.inputs import Sample, rows_of
from core.training.means import GIB, Hardware, Shape, chosen

VOCABULARY, LONGEST = 97, 40
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip
LINEAR: dict[str, Any] = {
    "head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"],
}  # fmt: skip
MAMBA: dict[str, Any] = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_chunk_size": 16}
APART: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**SMALL),
    "sliding windows": lambda: transformers.Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=6),
    "places that are learned": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=128
    ),
}
SEEN: dict[str, Callable[[], Any]] = {
    "qwen3-next": lambda: transformers.Qwen3NextConfig(**SMALL, **LINEAR, num_experts=0, mlp_only_layers=[0, 1]),
    "qwen3.5": lambda: transformers.Qwen3_5TextConfig(**SMALL, **LINEAR),
    "granite-hybrid": lambda: transformers.GraniteMoeHybridConfig(
        **SMALL, **MAMBA, num_local_experts=0, shared_intermediate_size=48, layer_types=["mamba", "attention"]
    ),
    "falcon-h1": lambda: transformers.FalconH1Config(
        **SMALL, head_dim=8, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8, mamba_chunk_size=16
    ),
    "jamba": lambda: transformers.JambaConfig(
        **SMALL, num_experts=1, mamba_d_state=8, mamba_dt_rank=4, attn_layer_period=2, attn_layer_offset=1,
        use_mamba_kernels=False,
    ),
    "lfm2": lambda: transformers.Lfm2Config(**SMALL, layer_types=["conv", "full_attention"]),
    "granite-hybrid, attention alone": lambda: transformers.GraniteMoeHybridConfig(
        **SMALL, **MAMBA, num_local_experts=0, shared_intermediate_size=48, layer_types=["attention", "attention"]
    ),
    "gpt-oss": lambda: transformers.GptOssConfig(**SMALL, head_dim=8, num_local_experts=2, num_experts_per_tok=1),
    "opt": lambda: transformers.OPTConfig(
        vocab_size=VOCABULARY, hidden_size=32, ffn_dim=48, word_embed_proj_dim=32, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=128,
    ),
    "bloom": lambda: transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, pad_token_id=2
    ),
}  # fmt: skip


def _samples() -> list[Sample]:
    chance = random.Random(4)
    samples = []
    for length in (9, 14, 7, 18):
        ids = [chance.randrange(3, VOCABULARY) for _ in range(length)]
        samples.append({"input_ids": ids, "labels": list(ids)})
    return samples


def _model(config: Any) -> Any:
    torch.manual_seed(2)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():  # As they begin, random weights hand hardly anything on.
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return model


def _read(model: Any, rows: Any, at_once: int) -> dict[tuple[int, ...], torch.Tensor]:
    """What the model says of each sample, read as the trainer reads a run's rows."""
    collate = DataCollatorForLanguageModeling(0, padding_free=True)
    found = {}
    for start in range(0, len(rows), at_once):
        some = [rows[place] for place in range(start, min(start + at_once, len(rows)))]
        batch = collate(some)
        with torch.inference_mode():
            read = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
        ids, said = batch["input_ids"][0], read.logits[0].log_softmax(-1)
        for length in (length for row in some for length in row["seq_lengths"]):
            found[tuple(ids[:length].tolist())] = said[:length]
            ids, said = ids[length:], said[length:]
    return found


def _differ(model: Any, found: dict[tuple[int, ...], torch.Tensor]) -> float:
    """How far the worst of it is from what the model says of the same sample alone."""
    worst = 0.0
    for ids, said in found.items():
        with torch.inference_mode():
            alone = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        worst = max(worst, float((said - alone).abs().max()))
    return worst


@pytest.mark.parametrize("kind", [*APART, *SEEN])
def test_a_sample_in_a_runs_batch_is_read_as_it_is_alone(kind: str, tmp_path: Path) -> None:
    config = (APART | SEEN)[kind]()
    model = _model(config)
    config.save_pretrained(tmp_path)
    apart = keeps_samples_apart(tmp_path)
    assert apart is (kind in APART)
    # On a GPU with room for all, so that as much is read at once as may be.
    gpu = Hardware("cuda", "a GPU", 80 * GIB, bf16=True)
    rows = rows_of(_samples(), LONGEST, packing=apart)
    means = chosen(Shape(10_000, 2, 32, VOCABULARY), gpu, TrainingSettings(), LONGEST, 4, len(rows), apart)
    assert (means.packing, means.samples_alone) == (apart, not apart)
    assert _differ(model, _read(model, rows, means.micro_batch)) < 1e-3


@pytest.mark.parametrize("kind", [kind for kind in SEEN if kind != "bloom"])  # It takes no places at all.
def test_where_samples_are_read_alone_they_would_have_seen_each_other(kind: str) -> None:
    model = _model(SEEN[kind]())
    packed = rows_of(_samples(), LONGEST, packing=True)
    assert _differ(model, _read(model, packed, 1)) > 1e-2
    assert _differ(model, _read(model, rows_of(_samples(), LONGEST, packing=False), 2)) > 1e-2


def test_a_base_whose_layers_cannot_be_laid_out_is_read_one_by_one(tmp_path: Path) -> None:
    assert not keeps_samples_apart(tmp_path)
