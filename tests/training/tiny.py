"""A workspace whose dataset trains in seconds: three short samples and one that validates; and a base of no size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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


def tiny_base(folder: Path) -> str:
    """A base with the packaged one's tokenizer and random weights, whose steps take no time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from core.models.packaged import smollm2_folder

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=49_152, max_position_embeddings=2048, **shape, **heads))
    base.save_pretrained(folder)
    for file in smollm2_folder().iterdir():
        if file.suffix != ".safetensors" and file.name not in ("config.json", "generation_config.json"):
            shutil.copyfile(file, folder / file.name)
    return str(folder)


def _interview(path: Path, date: str, question: str, answer: str) -> Path:
    people = {"q": "Ines Calder", "a": "Ada Marlow"}
    path.write_text(json.dumps({"participants": people, "date": date, "exchanges": [[question, answer]]}), "utf-8")
    return path
