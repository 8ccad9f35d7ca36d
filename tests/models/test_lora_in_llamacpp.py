"""An adapter trained with PEFT says in llama.cpp what it says in PEFT, and one that cannot is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelError
from core.models.llamacpp import Adapter, LlamaServer, Sampling
from core.models.lora_gguf import convert_lora

PROMPTS = (
    "<|im_start|>user\nWhere did you grow up?<|im_end|>\n<|im_start|>assistant\n",
    "The first thing I remember about my grandmother's kitchen is the",
    "In 1984 we moved to the city, and by the end of that year",
)
LIKELY = np.log(1e-4)
"""Tokens less likely than this are left out of the comparison: nothing would ever draw them."""
REPORTED = 4000
"""How many of the vocabulary's tokens llama.cpp is asked to report: more than are likely."""
VOCABULARY = 49152

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RECIPES: dict[str, dict[str, Any]] = {
    "every layer": {"r": 8, "lora_alpha": 16, "target_modules": ALL_LINEAR},
    # The order of the rotary rows touches q and k alone: here nothing else can carry the effect.
    "q and k only": {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "k_proj"]},
    "scaled unevenly": {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj", "down_proj"],
        "use_rslora": True,
        "rank_pattern": {"v_proj": 8},
        "alpha_pattern": {"down_proj": 12},
    },
}
SPREAD = {"every layer": 0.04, "q and k only": 0.12, "scaled unevenly": 0.04}


@dataclass(frozen=True)
class Trained:
    """An adapter on disk, and PEFT's log-probabilities (prompt × vocabulary) without and with it."""

    folder: Path
    base: np.ndarray
    adapted: np.ndarray


@pytest.fixture(scope="module", params=RECIPES)
def trained(request: pytest.FixtureRequest, smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    base = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **RECIPES[request.param])).eval()
    torch.manual_seed(0)
    for name, weights in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights.data, std=SPREAD[request.param])

    def next_token() -> np.ndarray:
        rows = []
        for prompt in PROMPTS:
            ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
            rows.append(model(input_ids=ids).logits[0, -1].log_softmax(-1).numpy())
        return np.array(rows)

    with torch.no_grad():
        adapted = next_token()
        with model.disable_adapter():
            plain = next_token()
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return Trained(folder, plain, adapted)


def next_token(model: Path, adapters: list[Adapter], size: int) -> np.ndarray:
    """llama.cpp's log-probabilities (prompt × vocabulary); NaN for tokens that are nowhere likely."""
    rows = np.full((len(PROMPTS), size), np.nan)
    with LlamaServer.start(model, adapters=adapters, context=256, threads=1) as server:
        for row, prompt in zip(rows, PROMPTS, strict=True):
            answer = server.completion(prompt, Sampling(max_tokens=1, logprobs=REPORTED))
            for token, logprob in answer.logprobs[0].likeliest:
                row[token] = logprob
    return rows


@pytest.fixture(scope="module")
def base_in_llamacpp(unquantized_gguf: Path) -> np.ndarray:
    return next_token(unquantized_gguf, [], VOCABULARY)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
def test_an_adapter_says_the_same_in_llamacpp_as_in_peft(
    trained: Trained, base_in_llamacpp: np.ndarray, gguf: Path, unquantized_gguf: Path, tmp_path: Path
) -> None:
    converted = [Adapter(convert_lora(trained.folder, tmp_path / "adapter.gguf"))]
    likely = (trained.base > LIKELY) & (trained.adapted > LIKELY)
    effect = (trained.adapted - trained.base)[likely]
    assert likely.sum() > 100
    assert np.abs(effect).mean() > 0.3, "the adapter does too little for this test to see it ignored"

    exact = next_token(unquantized_gguf, converted, VOCABULARY)
    assert np.abs(exact - trained.adapted)[likely].max() < 0.05
    assert np.abs((exact - base_in_llamacpp)[likely] - effect).max() < 0.05

    quantized = next_token(gguf, converted, VOCABULARY)
    assert np.abs(quantized - trained.adapted)[likely].mean() < 0.5 * np.abs(effect).mean()


@dataclass(frozen=True)
class Files:
    """A small adapter and its base, written by hand."""

    adapter: Path
    base: Path

    def configure(self, **changes: Any) -> None:
        path = self.adapter / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def weigh(self, tensors: Mapping[str, np.ndarray]) -> None:
        from safetensors.numpy import save_file

        save_file(dict(tensors), self.adapter / "adapter_model.safetensors")


PREFIX = "base_model.model.model.layers.0."


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "adapter", tmp_path / "base")
    made.adapter.mkdir()
    made.base.mkdir()
    (made.base / "config.json").write_text(
        json.dumps({"model_type": "llama", "num_attention_heads": 2, "num_key_value_heads": 1})
    )
    (made.adapter / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "lora_alpha": 4, "r": 1, "base_model_name_or_path": str(made.base)})
    )
    made.weigh(
        {
            PREFIX + "self_attn.q_proj.lora_A.weight": np.ones((1, 3), np.float32),
            PREFIX + "self_attn.q_proj.lora_B.weight": np.arange(8, dtype=np.float32).reshape(8, 1),
        }
    )
    return made


@pytest.mark.slow
def test_the_scale_of_an_adapter_counts(
    base_in_llamacpp: np.ndarray, smollm2: Path, unquantized_gguf: Path, files: Files, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    files.weigh(
        {
            f"{PREFIX}mlp.down_proj.lora_{half}.weight": generator.normal(0, 0.2, shape).astype(np.float32)
            for half, shape in {"A": (4, 1536), "B": (576, 4)}.items()
        }
    )
    converted = convert_lora(files.adapter, tmp_path / "adapter.gguf", base=smollm2)
    none = next_token(unquantized_gguf, [Adapter(converted, scale=0.0)], VOCABULARY)
    full = next_token(unquantized_gguf, [Adapter(converted)], VOCABULARY)
    likely = base_in_llamacpp > LIKELY
    assert np.abs(none - base_in_llamacpp)[likely].max() < 0.01
    assert np.nanmean(np.abs(full - base_in_llamacpp)[likely]) > 0.3


def read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from gguf import GGUFReader

    reader = GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    return fields, {tensor.name: np.array(tensor.data) for tensor in reader.tensors}


def test_a_converted_adapter_has_interleaved_rotary_rows(files: Files, tmp_path: Path) -> None:
    out = convert_lora(files.adapter, tmp_path / "out" / "a.gguf")
    fields, tensors = read_gguf(out)
    assert fields["general.type"] == "adapter"
    assert fields["adapter.type"] == "lora"
    assert fields["adapter.lora.alpha"] == 4
    assert tensors["blk.0.attn_q.weight.lora_a"].shape == (1, 3)
    assert tensors["blk.0.attn_q.weight.lora_b"].ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert [entry.name for entry in out.parent.iterdir()] == ["a.gguf"]


def test_bfloat16_weights_are_read(files: Files, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    exact = torch.tensor([[1.5], [-2.0]], dtype=torch.bfloat16)
    save_file(
        {
            PREFIX + "mlp.up_proj.lora_A.weight": torch.ones((1, 3), dtype=torch.bfloat16),
            PREFIX + "mlp.up_proj.lora_B.weight": exact,
        },
        files.adapter / "adapter_model.safetensors",
    )
    _, tensors = read_gguf(convert_lora(files.adapter, tmp_path / "a.gguf"))
    assert tensors["blk.0.ffn_up.weight.lora_b"].ravel().tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"lora_alpha": None}, "lora_alpha"),
        ({"base_model_name_or_path": "nobody/knows-this"}, "nobody/knows-this"),
        ({"base_model_name_or_path": None}, "unnamed"),
    ],
)
def test_what_a_gguf_adapter_cannot_hold_is_refused(
    files: Files, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    files.configure(**changes)
    with pytest.raises(ModelError, match=named) as refused:
        convert_lora(files.adapter, tmp_path / "a.gguf")
    assert refused.value.hint
    assert not (tmp_path / "a.gguf").exists()


def test_another_architecture_is_refused(files: Files, tmp_path: Path) -> None:
    (files.base / "config.json").write_text('{"model_type": "qwen3"}')
    with pytest.raises(ModelError, match="qwen3, not llama"):
        convert_lora(files.adapter, tmp_path / "a.gguf")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(files: Files, tmp_path: Path, name: str) -> None:
    (files.adapter / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        convert_lora(files.adapter, tmp_path / "a.gguf")


def test_a_damaged_file_is_named(files: Files, tmp_path: Path) -> None:
    (files.adapter / "adapter_model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ModelError, match="is damaged"):
        convert_lora(files.adapter, tmp_path / "a.gguf")


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "no LoRA weights"),
        ({PREFIX + "mlp.up_proj.lora_A.weight": np.ones((1, 3), np.float32)}, "do not fit"),
        ({"base_model.model.lm_head.lora_A.weight": np.ones((1, 3), np.float32)}, "lm_head"),
        ({PREFIX + "self_attn.q_proj.lora_magnitude_vector": np.ones(3, np.float32)}, "magnitude"),
        (
            {
                PREFIX + "self_attn.q_proj.lora_A.weight": np.full((1, 3), np.nan, np.float32),
                PREFIX + "self_attn.q_proj.lora_B.weight": np.ones((8, 1), np.float32),
            },
            "not finite",
        ),
        (
            {
                PREFIX + "self_attn.q_proj.lora_A.weight": np.ones((1, 3), np.float32),
                PREFIX + "self_attn.q_proj.lora_B.weight": np.ones((7, 1), np.float32),
            },
            "2 heads do not divide",
        ),
    ],
)
def test_weights_without_a_place_are_refused(
    files: Files, tmp_path: Path, tensors: dict[str, np.ndarray], said: str
) -> None:
    files.weigh(tensors)
    with pytest.raises(ModelError, match=said):
        convert_lora(files.adapter, tmp_path / "a.gguf")
