"""A sentence-transformers folder of a BERT with one narrow layer, in the number format and with the prompt that a test
asks for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

from core.models.packaged import minilm_folder

WIDTH = 32


def small_bert(folder: Path, dtype: torch.dtype = torch.float32, prompt: str = "") -> Path:
    """MiniLM's tokenizer and modules around weights by chance."""
    packaged = minilm_folder()
    assert packaged is not None
    shutil.copytree(packaged, folder)
    folder.chmod(0o755)
    torch.manual_seed(7)
    config = BertConfig(hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).to(dtype).save_pretrained(folder)
    pooling = folder / "1_Pooling" / "config.json"
    told = json.loads(pooling.read_text("utf-8"))
    pooling.write_text(json.dumps(told | {"word_embedding_dimension": WIDTH}), "utf-8")
    prompts = {"prompts": {"query": prompt}, "default_prompt_name": "query"} if prompt else {}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts), "utf-8")
    return folder
