"""Turns a PEFT LoRA adapter into a GGUF one, so that llama.cpp can speak with the weights that PEFT trained.

Reads safetensors, writes GGUF, needs numpy only. It follows llama.cpp's ``convert_lora_to_gguf.py``: tensors are named
after the base tensor with ``.lora_a`` and ``.lora_b``, and the output rows of q and k are reordered, because a GGUF
keeps each head's rotary pairs interleaved where transformers keeps them as two halves. An adapter that this cannot
carry over exactly is refused by name rather than converted in part.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.models.packaged import resolve_persona

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
KEY = re.compile(r"base_model\.model\.(model\.layers\.(\d+)\.(\w+\.\w+))\.lora_([AB])\.weight")

UNCARRIED = (
    "use_dora",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "lora_bias",
    "fan_in_fan_out",
)
"""Settings of a LoRA whose effect a GGUF adapter cannot hold, and vLLM does not read."""
PLAIN_STARTS = (True, False, "gaussian", "eva", "orthogonal")
"""Initializations that leave the base weights as they are; pissa, olora, corda, loftq and others rewrite them."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BaseShape:
    """What of the base model the conversion needs: how many heads its q and k rows hold."""

    heads: int
    key_value_heads: int


@dataclass(frozen=True, slots=True)
class LoraModule:
    """One adapted layer: PEFT's name of it, its GGUF name, and A (rank, inputs) and B (outputs, rank)."""

    name: str
    gguf_name: str
    a: Matrix
    b: Matrix


def convert_lora(adapter: Path, out: Path, base: Path | None = None) -> Path:
    """Writes the PEFT LoRA in folder ``adapter`` as a GGUF adapter at ``out``, in fp32, and returns ``out``.

    ``base`` is the folder that holds the base model's ``config.json``; without it the adapter's own record of its base
    is followed. ``out`` appears whole or not at all. Raises ``ModelError`` for what is not a plain LoRA of a Llama.
    """
    config = _read_json(adapter / CONFIG_FILE)
    _check_plain_lora(adapter, config)
    shape = _base_shape(base or _recorded_base(adapter, config))
    modules = _read_modules(adapter)
    alpha = float(config["lora_alpha"]) or 1.0
    _write(out, alpha, [_for_llamacpp(module, config, alpha, shape) for module in modules])
    return out


def _check_plain_lora(adapter: Path, config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"{adapter} is a {config.get('peft_type')} adapter; llama.cpp runs LoRA adapters only.",
            "Use the transformers engine for it, or train a LoRA.",
        )
    if not isinstance(config.get("lora_alpha"), int | float):
        raise ModelError(f"{adapter / CONFIG_FILE} has no lora_alpha.", "Export the adapter again.")
    odd = [name for name in UNCARRIED if config.get(name)]
    if config.get("bias", "none") != "none":
        odd.append("bias")
    if config.get("init_lora_weights", True) not in PLAIN_STARTS:
        odd.append(f"init_lora_weights={config['init_lora_weights']}")
    if odd:
        raise ModelError(
            f"{adapter} was trained with {', '.join(odd)}, which a GGUF adapter cannot hold.",
            "Use the transformers engine for it, merge it into its base model, or train without.",
        )


def _recorded_base(adapter: Path, config: Mapping[str, Any]) -> Path:
    """The folder of the base model that the adapter was trained on: a path, a packaged model, or the hub's cache."""
    name = str(config.get("base_model_name_or_path") or "")
    missing = ModelError(
        f"The base model of {adapter}, {name or 'unnamed'}, is not on this machine.",
        "Name the folder that holds the base model's config.json.",
    )
    if not name:
        raise missing
    found = resolve_persona(name)
    if isinstance(found, Path):
        return found
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(found, "config.json")
    if not isinstance(cached, str):
        raise missing
    return Path(cached).parent


def _base_shape(folder: Path) -> BaseShape:
    config = _read_json(folder / "config.json")
    if config.get("model_type") != "llama":
        raise ModelError(
            f"The base model at {folder} is of type {config.get('model_type')}, not llama.",
            "Adapters of other architectures run in the transformers engine.",
        )
    heads = int(config["num_attention_heads"])
    return BaseShape(heads, int(config.get("num_key_value_heads") or heads))


def _read_modules(adapter: Path) -> list[LoraModule]:
    """The adapted layers, in the order of their GGUF names; every tensor of the file must belong to one."""
    halves: dict[str, dict[str, Matrix]] = {}
    gguf_names: dict[str, str] = {}
    for key, tensor in _read_safetensors(adapter / WEIGHTS_FILE).items():
        match = KEY.fullmatch(key)
        if match is None or match[3] not in GGUF_NAMES:
            raise ModelError(
                f"{adapter / WEIGHTS_FILE} holds {key}, which has no place in a Llama adapter for llama.cpp.",
                f"Adapters of {', '.join(sorted(name.split('.')[1] for name in GGUF_NAMES))} can be converted.",
            )
        halves.setdefault(match[1], {})[match[4]] = tensor
        gguf_names[match[1]] = f"blk.{match[2]}.{GGUF_NAMES[match[3]]}.weight"
    for name, pair in halves.items():
        if len(pair) != 2 or pair["A"].ndim != 2 or pair["B"].ndim != 2 or len(pair["A"]) != pair["B"].shape[1]:
            raise ModelError(f"{adapter / WEIGHTS_FILE}: A and B of {name} do not fit together.", "Export it again.")
    if not halves:
        raise ModelError(f"{adapter / WEIGHTS_FILE} holds no LoRA weights.", "Export the adapter again.")
    modules = [LoraModule(name, gguf_names[name], pair["A"], pair["B"]) for name, pair in halves.items()]
    return sorted(modules, key=lambda module: module.gguf_name)


def _for_llamacpp(module: LoraModule, config: Mapping[str, Any], alpha: float, shape: BaseShape) -> LoraModule:
    """The module with B's rows in llama.cpp's order, and scaled so that ``alpha / rank`` means what PEFT meant.

    llama.cpp knows one alpha for all; rank-stabilized scaling (alpha / √rank) and patterns per module move into B.
    """
    rank = len(module.a)
    factor = _scaling(config, module.name, rank) * rank / alpha
    b = module.b if factor == 1.0 else (module.b * np.float32(factor))
    if module.gguf_name.endswith(".attn_q.weight"):
        b = _interleave_rotary(b, shape.heads, module.name)
    elif module.gguf_name.endswith(".attn_k.weight"):
        b = _interleave_rotary(b, shape.key_value_heads, module.name)
    return LoraModule(module.name, module.gguf_name, module.a, b)


def _scaling(config: Mapping[str, Any], name: str, rank: int) -> float:
    """PEFT's factor on B·A for one module; ``alpha_pattern`` is matched as PEFT's ``get_pattern_key`` does."""
    alpha = float(config["lora_alpha"])
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            alpha = float(value)
            break
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _interleave_rotary(b: Matrix, heads: int, name: str) -> Matrix:
    """Reorders B's rows, per head, from two halves (x0 x1 … y0 y1 …) to pairs (x0 y0 x1 y1 …)."""
    rows, rank = b.shape
    if rows % (2 * heads):
        raise ModelError(
            f"{name} has {rows} output rows, which {heads} heads do not divide.",
            "The adapter belongs to another base model.",
        )
    return b.reshape(heads, 2, rows // heads // 2, rank).swapaxes(1, 2).reshape(rows, rank)


def _write(out: Path, alpha: float, modules: list[LoraModule]) -> None:
    import gguf

    out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        unfinished = Path(folder) / out.name
        writer = gguf.GGUFWriter(unfinished, "llama")
        writer.add_type("adapter")
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for module in modules:
            writer.add_tensor(f"{module.gguf_name}.lora_a", np.ascontiguousarray(module.a))
            writer.add_tensor(f"{module.gguf_name}.lora_b", np.ascontiguousarray(module.b))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        unfinished.chmod(0o600)
        with unfinished.open("rb") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(out)


def _read_safetensors(path: Path) -> dict[str, Matrix]:
    """The tensors of a safetensors file as fp32; numpy has no bfloat16, so its bits are widened here."""
    from safetensors import SafetensorError, deserialize

    try:
        records = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except FileNotFoundError as error:
        raise _missing(path) from error
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}", "Restore the adapter, or train it again.") from error
    return {name: _as_float32(path, name, record) for name, record in records}


def _as_float32(path: Path, name: str, record: Mapping[str, Any]) -> Matrix:
    data = record["data"]
    if record["dtype"] == "BF16":
        flat = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif record["dtype"] in ("F64", "F32", "F16"):
        flat = np.frombuffer(data, f"<f{int(record['dtype'][1:]) // 8}")
    else:
        raise ModelError(f"{path}: {name} is of type {record['dtype']}.", "Export the adapter in fp32, fp16 or bf16.")
    tensor = flat.astype(np.float32).reshape(record["shape"])
    if not np.isfinite(tensor).all():
        raise ModelError(f"{path}: {name} holds values that are not finite.", "Train the adapter again.")
    return tensor


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}", "Export the adapter or the model again.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object.", "Export the adapter or the model again.")
    return value


def _missing(path: Path) -> ModelError:
    return ModelError(
        f"{path} is missing.", f"An adapter is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}; a model has config.json."
    )
