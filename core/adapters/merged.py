"""An adapter added to its base for good: a model folder that transformers, and what converts from it, loads alone.

Heavy: import it only inside a run. It works layer by layer in the base's own precision, so that the most it holds is
the base, the adapter, and one layer twice.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import torch
import transformers
from peft import PeftModel

from core.errors import ModelError
from core.models.lora_fit import check_fit
from core.store.adapters import AdapterRow

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
"""Taken over to the byte, so that the merged model has the very tokens and the very turns of its base."""
SHARD = "5GB"
"""Largest file of weights: hosts and file systems refuse larger ones here and there."""


def write_merged(adapter: AdapterRow, folder: Path, base: Path, out: Path) -> None:
    """Merge the LoRA in ``folder`` into the model in ``base``; save it with tokenizer and chat template in ``out``.

    Raises ModelError for layers that do not fit, or weights that are not finite.
    """
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype="auto", trust_remote_code=False)
        check_fit(model, adapter.base, folder)
        try:
            merged = PeftModel.from_pretrained(model, folder).merge_and_unload(safe_merge=True)
        except ValueError as error:
            raise ModelError(
                f"the adapter {adapter.name} cannot be merged into {adapter.base}: {str(error).splitlines()[0]}",
                "train it again",
            ) from None
        merged.save_pretrained(out, max_shard_size=SHARD)
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)
