"""Whether a LoRA fits a model, said before PEFT loads it: PEFT takes half an adapter with a warning nobody sees.

Reads the header of the weights only. Needs no torch itself; the model is asked for its layers' shapes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.lora_gguf import CONFIG_FILE, WEIGHTS_FILE

_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
_LAYER = re.compile(r"^(.*\b(?:layers|h)\.)\d+(\..+)$")


def check_fit(model: Any, base: str, folder: Path) -> None:
    """Raises ModelError where an adapted layer of the LoRA in ``folder`` is none of the model's, has another shape
    there, or where the LoRA adapts a kind of layer in some of the model's layers only.

    ``model`` is a transformers model without adapters, or PEFT's wrapping of one; ``base`` is how it is called.
    """
    shapes = _shapes(folder)
    layers = {
        name.replace(".base_layer", "").removeprefix("base_model.model."): shape
        for name, shape in ((name, _layer(each)) for name, each in model.named_modules())
        if shape is not None and ".lora_" not in name
    }
    for (name, half), shape in shapes.items():
        if name not in layers:
            raise _misfit(folder, base, f"it adapts {name}, which {base} does not have")
        outputs, inputs = layers[name]
        have, want = (shape[-1], inputs) if half == "A" else (shape[0], outputs)
        if have != want:
            side = "inputs" if half == "A" else "outputs"
            raise _misfit(folder, base, f"{name} has {want} {side} there, and the adapter is for {have}")
    adapted = {name for name, _ in shapes}
    kinds = {_kind(name) for name in adapted}
    left = [name for name in layers if _kind(name) in kinds and name not in adapted]
    if left:
        raise _misfit(folder, base, f"it has no weights for {left[0]} and {len(left) - 1} more layers")


def _shapes(folder: Path) -> dict[tuple[str, str], tuple[int, ...]]:
    """(layer, A or B) → shape, of every pair of the LoRA. Raises ModelError for a missing or damaged file."""
    from safetensors import SafetensorError, safe_open

    weights = folder / WEIGHTS_FILE
    for path in (folder / CONFIG_FILE, weights):
        if not path.is_file():
            raise ModelError(f"the adapter at {folder} has no {path.name}", "bring it back, or train it again")
    try:
        with safe_open(weights, framework="np") as file:
            found = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{weights} is damaged: {error}", "bring it back, or train it again") from None
    matches = {key: _KEY.fullmatch(key) for key in found}
    return {(match[1], match[2]): found[key] for key, match in matches.items() if match}


def _layer(module: Any) -> tuple[int, int] | None:
    """(outputs, inputs) of a module with a matrix of weights, however it keeps them: Conv1D turned around, a layer of
    4 bits packed."""
    weight = getattr(module, "weight", None)
    # DeepSpeed keeps beside what is left of a weight that it has shared out (ZeRO-3) what shape it has.
    shape: Any = getattr(weight, "ds_shape", getattr(weight, "shape", ()))
    if len(shape) != 2:
        return None
    if hasattr(module, "out_features"):
        return module.out_features, module.in_features
    if hasattr(module, "nf"):
        return module.nf, module.nx
    outputs, inputs = shape
    return outputs, inputs


def _kind(name: str) -> str:
    """The name without the number of its layer."""
    return _LAYER.sub(r"\1N\2", name)


def _misfit(folder: Path, base: str, why: str) -> ModelError:
    return ModelError(
        f"the adapter at {folder} does not fit {base}: {why}",
        "load it on the base that it was trained on, or train it again on this one",
    )
