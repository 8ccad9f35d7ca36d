"""A workspace whose adapter was never trained: real sources, memories and dataset, and a LoRA of random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.corpus import importing
from core.dataset.build import build
from core.models.chat_tokenizer import model_folder
from core.models.packaged import SMOLLM2, revision
from core.retrieval.launch import EMBED_ENTRY, EMBED_KIND
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.store.adapters import AdapterRow, put_adapter
from core.store.memories import MemoryRow, put_memories
from core.workspace import Workspace
from tests.random_lora import random_lora

TARGET = "Ada Marlow"
NAME = "sft-1"
RANK = 12
"""Between two of vLLM's."""
ANSWERS = (
    "Rain, mostly, and after the rain the bill for the slates that the wind had taken.",
    "A cousin from Leith who stayed until her money and our patience were both gone.",
    "Nothing came. I mended nets, and I read the same three books again by the stove.",
    "The new ferry, which was late on its first day and has been late ever since.",
    "Two lambs, a letter from the bank, and more rain than the almanac had promised us.",
)
LETTER = "The boat was called Pell and she leaked at the bow every spring that we had her on the water."
DIARY = "I told nobody that the lease on the harbor shop would end before the winter came round again."


@dataclass(frozen=True)
class Trained:
    """A workspace to copy, and what PEFT says with its adapter."""

    root: Path
    prompts: list[list[int]]
    base: np.ndarray
    """Log-probabilities of the next token without the adapter, prompt × vocabulary."""
    adapted: np.ndarray


def next_token(model: Any, prompts: Sequence[Sequence[int]]) -> np.ndarray:
    """Log-probabilities (prompt × vocabulary) of what comes next."""
    import torch

    with torch.no_grad():
        rows = [model(input_ids=torch.tensor([ids])).logits[0, -1].float().log_softmax(-1) for ids in prompts]
    return torch.stack(rows).numpy()


def _write_corpus(folder: Path) -> dict[str, list[Path]]:
    folder.mkdir()
    interviews = []
    for year, answer in enumerate(ANSWERS, 2010):
        path = folder / f"talk-{year}.json"
        people = {"q": "Ines Calder", "a": TARGET}
        pairs = [[f"What came in {year}?", answer]]
        path.write_text(json.dumps({"participants": people, "date": f"{year}-05-01", "exchanges": pairs}), "utf-8")
        interviews.append(path)
    letter, diary = folder / "letter.md", folder / "diary.md"
    letter.write_text(f"---\ntitle: A letter\ndate: 2001-02-03\nlanguage: en\n---\n{LETTER}\n", "utf-8")
    diary.write_text(f"---\ntitle: A day\ndate: 2002-02-03\n---\n{DIARY}\n", "utf-8")
    return {"train": [*interviews, letter], "recall": [diary]}


def _remember(workspace: Workspace) -> None:
    """Two memories of the letter for the first talk, one accepted by a person and one by a rule."""
    database = workspace.database
    chunk = database.value(
        "SELECT chunk.id FROM chunk JOIN document ON document.id = document_id WHERE title LIKE 'A l%'"
    )
    exchange = database.value("SELECT id FROM exchange ORDER BY first_day LIMIT 1")
    rows = [
        MemoryRow(0, f"memory-{rank}", exchange, chunk, rank, 0.5, "extractive", text, LETTER[:20], 0, 20)
        for rank, text in ((1, "I had a boat called Pell."), (2, "She leaked at the bow."))
    ]
    with database.write():
        put_memories(database, exchange, [(row, {}) for row in rows])
    decide(database, Actor("person", "Ines"), [Decision("memory-1", "accept")])
    decide(database, Actor("rule", "auto"), [Decision("memory-2", "accept")])


def _make_adapter(folder: Path) -> tuple[list[list[int]], np.ndarray, np.ndarray]:
    """A LoRA on every linear layer, both halves random, and what the model says without and with it."""
    from core.models.causal_lm import CausalLM

    lm = CausalLM(SMOLLM2)
    texts = (
        "<|im_start|>user\nWhere did you grow up?<|im_end|>\n<|im_start|>assistant\n",
        "The first thing I remember",
    )
    prompts = [lm.tokenizer.encode(text) for text in texts]
    base = next_token(lm.model, prompts)
    adapted = next_token(random_lora(lm.model, folder, RANK, 0.04), prompts)
    return prompts, base, adapted


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("exports") / "ws"
    # A share of failed recall falls on other questions with every folder that the sources lie in.
    workspace = Workspace.create(root, TARGET, sections={"dataset": {"failed_recall": 0}})
    for use, paths in _write_corpus(root.parent / "corpus").items():
        choices, _ = importing.plan(paths, None)
        sources = [{"path": str(each.source.path), "format": each.importer.name} for each in choices]
        run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources, "use": use})
    run_to_end(workspace, EMBED_KIND, EMBED_ENTRY, {})
    _remember(workspace)
    dataset = build(workspace)
    prompts, base, adapted = _make_adapter(workspace.adapters / NAME)
    folder = workspace.adapters / NAME
    settings = {"learning_rate": 1e-3, "epochs": 1.5, "rank": RANK, "alpha": 2 * RANK, "seed": 7, "steps": 3}
    row = AdapterRow(
        0, NAME, dataset.id, NAME, SMOLLM2, revision(model_folder(SMOLLM2)), 1, f"adapters/{NAME}",
        folder_hash(folder, ADAPTER_FILES), settings, "2026-11-01T10:00:00+00:00",
    )  # fmt: skip
    with workspace.database.write():
        put_adapter(workspace.database, row)
    workspace.database.close()
    return Trained(root, prompts, base, adapted)


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Workspace:
    """A workspace of the test's own, to damage as it likes."""
    shutil.copytree(trained.root, tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")
