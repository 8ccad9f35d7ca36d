"""Makes a transformers folder from a GGUF file, in a process of its own: ``python -m core.models.gguf_to_folder``.

It writes into a folder that nobody reads and renames that one when every byte is on disk, so that a kill or a power
cut leaves either nothing or all. ``packaged`` starts it and holds the lock.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def make_folder(source: Path, making: Path, folder: Path) -> None:
    """Writes config, tokenizer, chat template and fp32 weights into ``making``, then renames it to ``folder``.

    The weights are those of the GGUF, dequantized: what llama.cpp computes with, in single precision.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    place, file = str(source.parent), source.name
    config = AutoConfig.from_pretrained(place, gguf_file=file)
    tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=file, config=config)
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(making)
    model = AutoModelForCausalLM.from_pretrained(place, gguf_file=file, config=config, dtype=torch.float32)
    # The weights are plain by now; with these two left on, transformers refuses to save them.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(making)
    _settle(making)
    making.rename(folder)
    _sync(folder.parent)


def _settle(folder: Path) -> None:
    """Makes a folder's files private and puts them on disk."""
    for file in folder.iterdir():
        file.chmod(0o600)
        _sync(file)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    make_folder(*(Path(argument) for argument in sys.argv[1:4]))
