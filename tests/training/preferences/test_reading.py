"""A prompt that is read once for both of its answers gives what TRL's reading gives, in any kind of base."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from trl.trainer.utils import add_fused_lm_head

from core.training.preferences.guard import REFERENCE, as_reference
from core.training.preferences.reading import keeps_answers_apart, read_sparingly

VOCABULARY = 97
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip
FIELDS = ("log_probs", "entropy", "mean_logits", "is_top1")
TOGETHER = {
    "llama": lambda: transformers.LlamaConfig(**SMALL),
    "qwen3": lambda: transformers.Qwen3Config(**SMALL, head_dim=8),
    "logits that are scaled": lambda: transformers.GraniteConfig(**SMALL, logits_scaling=6.0),
    "logits that are capped": lambda: transformers.Gemma3TextConfig(
        **SMALL, head_dim=8, sliding_window=64, final_logit_softcapping=3.0
    ),
    "a window wider than the row": lambda: transformers.MistralConfig(**SMALL, sliding_window=64),
}
ONE_BY_ONE = {
    "places that are learned": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=128
    ),
    "places in the mask": lambda: transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, pad_token_id=2
    ),
    "a state beside attention": lambda: transformers.FalconH1Config(
        **SMALL, head_dim=8, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8, mamba_chunk_size=16
    ),
    "layers that hand a state on": lambda: transformers.Qwen3NextConfig(
        **SMALL, head_dim=8, num_experts=0, mlp_only_layers=[0, 1], linear_num_key_heads=2, linear_num_value_heads=2,
        linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention", "full_attention"],
    ),
    "attention that is capped": lambda: transformers.Gemma2Config(**SMALL, head_dim=8, sliding_window=64),
}  # fmt: skip


def _model(config: Any, heads: Any) -> Any:
    """A LoRA that does something, with a copy of it as the reference, on a random base."""
    torch.manual_seed(3)
    base = transformers.AutoModelForCausalLM.from_config(config).eval()
    heads(base)
    # PEFT gives a state space's own maps no LoRA.
    where = ["q_proj", "v_proj"] if config.model_type == "falcon_h1" else "all-linear"
    lora = LoraConfig(r=4, target_modules=where, task_type="CAUSAL_LM", init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(base, lora)
        model.add_adapter(REFERENCE, lora)
    model.set_adapter("default")
    return model


def _theirs(base: Any) -> None:
    add_fused_lm_head(base, outputs=FIELDS)


def _batch(prompts: tuple[int, ...] = (23, 9), answers: tuple[int, ...] = (5, 11, 8, 3)) -> dict[str, torch.Tensor]:
    """Two pairs as TRL collates them: the chosen rows, then the rejected ones, padded on the right."""
    drawn = torch.Generator().manual_seed(5)
    asked = [torch.randint(3, VOCABULARY, (length,), generator=drawn) for length in prompts]
    said = [torch.randint(3, VOCABULARY, (length,), generator=drawn) for length in answers]
    rows = [torch.cat([asked[at % len(asked)], answer]) for at, answer in enumerate(said)]
    longest = max(map(len, rows))
    batch = {
        "input_ids": torch.full((len(rows), longest), 2),
        "attention_mask": torch.zeros((len(rows), longest), dtype=torch.long),
        "labels": torch.full((len(rows), longest), -100),
    }
    for number, row in enumerate(rows):
        begins = len(row) - len(said[number])
        batch["input_ids"][number, : len(row)] = row
        batch["attention_mask"][number, : len(row)] = 1
        batch["labels"][number, begins : len(row)] = row[begins:]
    return batch


def _read(model: Any, batch: dict[str, torch.Tensor]) -> Any:
    return model(**batch, use_cache=False, fused_lm_head=True)


def _assert_same(config: Any, paired: bool) -> None:
    whole, sparing = _model(config, _theirs), _model(config, _theirs)
    read_sparingly(sparing, paired)
    batch = _batch()
    theirs, ours = _read(whole, batch), _read(sparing, batch)
    for name in FIELDS:
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert found.shape == expected.shape
        torch.testing.assert_close(found.float(), expected.float(), rtol=1e-4, atol=1e-4)
    assert torch.equal(ours.label_mask, theirs.label_mask)
    weights = torch.linspace(-1, 1, ours.log_probs.numel()).view_as(ours.log_probs)
    for output in (theirs, ours):
        (output.log_probs * weights).sum().backward()
    for (name, mine), (_, other) in zip(sparing.named_parameters(), whole.named_parameters(), strict=True):
        if mine.requires_grad:
            assert mine.grad is not None, name
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", TOGETHER)
def test_both_answers_follow_one_prompt_and_are_as_likely_as_alone(kind: str) -> None:
    config = TOGETHER[kind]()
    assert keeps_answers_apart(transformers.AutoModelForCausalLM.from_config(config))
    _assert_same(config, paired=True)


@pytest.mark.parametrize("kind", ONE_BY_ONE)
def test_where_they_would_see_each_other_they_are_read_one_by_one(kind: str) -> None:
    config = ONE_BY_ONE[kind]()
    assert not keeps_answers_apart(transformers.AutoModelForCausalLM.from_config(config))
    _assert_same(config, paired=True)


def test_single_judgements_are_read_alone() -> None:
    _assert_same(TOGETHER["llama"](), paired=False)


def test_a_row_longer_than_a_window_is_not_shared() -> None:
    _assert_same(transformers.MistralConfig(**SMALL, sliding_window=30), paired=True)


def _tokens_read(model: Any, batch: dict[str, torch.Tensor]) -> list[int]:
    """How many tokens each pass through the base read."""
    seen: list[int] = []
    embedding = model.get_base_model().get_input_embeddings()
    with_hook = embedding.register_forward_hook(lambda _module, given, _output: seen.append(given[0].numel()))
    _read(model, batch)
    with_hook.remove()
    return seen


def test_a_prompt_is_read_once_for_both_answers() -> None:
    model = _model(TOGETHER["llama"](), _theirs)
    read_sparingly(model, paired=True)
    assert _tokens_read(model, _batch()) == [23 + 5 + 8, 9 + 11 + 3]


def test_the_reference_is_asked_once_and_says_what_the_reference_says() -> None:
    model = _model(TOGETHER["llama"](), _theirs)
    read_sparingly(model, paired=True)
    batch = _batch()
    with torch.no_grad():
        mine = _read(model, batch).log_probs
        with as_reference(model):
            first = _read(model, batch).log_probs
            assert _tokens_read(model, batch) == []
            again = _read(model, batch).log_probs
        assert not torch.allclose(mine, first)
        assert torch.equal(first, again)
        assert torch.equal(mine, _read(model, batch).log_probs)
        assert len(_tokens_read(model, batch)) == 2


def test_without_the_head_the_base_is_as_it_was() -> None:
    whole, sparing = (_model(TOGETHER["llama"](), _theirs) for _ in range(2))
    read_sparingly(sparing, paired=True)
    ids = _batch()["input_ids"]
    assert torch.equal(whole(input_ids=ids).logits, sparing(input_ids=ids).logits)
