"""A workspace whose dataset trains in seconds: three short samples and one that validates; and a base of no size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.dataset.build import build
from core.runs.control import run_to_end
from core.workspace import Workspace

SETTINGS = {"checkpoint_steps": 2, "measure_forgetting": False}


def tiny_dataset(root: Path) -> tuple[Path, str]:
    """The workspace, closed, and its dataset's hash. 2014 and 2015 are held out, 2013 validates."""
    from core.corpus import importing

    workspace = Workspace.create(root / "ws", "Ada Marlow", sections={"training": SETTINGS})
    files = [
        _interview(root / f"{year}.json", f"{year}-05-01", f"What came in {year}?", "Rain, and Pell with the bill.")
        for year in range(2010, 2016)
    ]
    sources = [{"path": str(path), "format": "raft-transcript"} for path in files]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    dataset = build(workspace)
    workspace.database.close()
    return root / "ws", dataset.hash


SMALL: dict[str, Any] = {
    "vocab_size": 49_152, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 1024, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 2,
}  # fmt: skip
"""Of a base that reads the packaged base's tokens."""


def tiny_base(folder: Path, config: Any = None) -> str:
    """A base of random weights, a Llama unless a configuration is given. Returns its name, which is its folder."""
    import torch
    import transformers

    from core.models.packaged import smollm2_folder

    torch.manual_seed(1)
    config = config or transformers.LlamaConfig(**SMALL)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in smollm2_folder().iterdir():
        if file.name.startswith(("tokenizer", "special", "chat", "vocab", "merges")):
            (folder / file.name).symlink_to(file)
    return str(folder)


def _interview(path: Path, date: str, question: str, answer: str) -> Path:
    people = {"q": "Ines Calder", "a": "Ada Marlow"}
    path.write_text(json.dumps({"participants": people, "date": date, "exchanges": [[question, answer]]}), "utf-8")
    return path
