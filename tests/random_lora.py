"""An adapter that was never trained: a LoRA whose both halves are random, as a training leaves its files."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from core.adapters.files import ADAPTER_FILES
from core.models.packaged import SMOLLM2


def random_lora(model: Any, folder: Path, rank: int, std: float) -> Any:
    """Put a LoRA on every linear layer of SmolLM2, keep its files in a folder, and return the model with it."""
    import torch
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
        with_it = get_peft_model(model, config).eval()
        torch.manual_seed(0)
        for name, weights in with_it.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weights.data, std=std)
        with_it.save_pretrained(folder)
    for extra in folder.iterdir():
        if extra.name not in ADAPTER_FILES:
            extra.unlink()
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": SMOLLM2}))
    return with_it
