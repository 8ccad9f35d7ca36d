"""A workspace with six interviews, the latest two held out, and preferences of every kind in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.corpus import importing
from core.corpus.holdout import assign_splits
from core.dataset.build import build
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.store.pairs import put_pair
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.conftest import TARGET, interview

AT = "2026-01-02T03:04:05+00:00"
NELL = Actor("person", "Nell")
DPO = {
    "guard_questions": 1, "guard_tokens": 4, "evaluations": 1, "max_tokens": 160, "batch": 8, "epochs": 3,
    "learning_rate": 1e-3, "validation": 0.0,
}  # fmt: skip
TRAINING = {"checkpoint_steps": 1, "measure_forgetting": False, "warmup": 0.0}
PAIRS = [
    ("Where do you live?", "By the quay, over Pell's.", "I do not have a physical location."),
    ("What do you draw?", "Tides, and who pays for them.", "I can help you with drawing."),
]
LONG = "and then the rain, " * 60


def prefer(workspace: Workspace, question: str, chosen: str, rejected: str, prompt: str = "") -> str:
    """Put a pair and let a person prefer its left side. Returns its uid."""
    with workspace.database.write():
        uid = put_pair(workspace.database, question, prompt, chosen, rejected, "comparison", None, AT, owners=())
    decide(workspace.database, NELL, [Decision(uid, "accept", text="left", card_kind="pair")])
    return uid


def make(root: Path) -> Workspace:
    """The workspace, untrained, with nothing preferred yet."""
    workspace = Workspace.create(root / "ws", TARGET, sections={"training": {**TRAINING, "dpo": DPO}})
    sources = []
    for year in range(2010, 2016):
        path = root / f"{year}.json"
        path.write_text(interview("Ines", f"{year}-05-01", [(f"What came in {year}?", f"{year}: rain, and a bill.")]))
        sources.append({"path": str(path), "format": "raft-transcript"})
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    assign_splits(workspace)
    return workspace


@pytest.fixture
def interviewed(tmp_path: Path) -> Workspace:
    return make(tmp_path)


@pytest.fixture(scope="session")
def tuned_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a workspace whose twin has a fine-tuned adapter, sft-1, and two decided pairs that fit."""
    workspace = make(tmp_path_factory.mktemp("preferences"))
    params = sft_params(workspace, build(workspace).hash, max_steps=3, epochs=3, learning_rate=2e-3)
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    for pair in PAIRS:
        prefer(workspace, *pair)
    prefer(workspace, "What came of it?", LONG, "Nothing.")
    prefer(workspace, "What came in 2015?", "A bill.", "I am a language model.")
    workspace.database.close()
    return workspace.root


@pytest.fixture
def tuned(tuned_root: Path, tmp_path: Path) -> Workspace:
    """A copy of it for one test."""
    shutil.copytree(tuned_root, tmp_path / "tuned")
    return Workspace.open(tmp_path / "tuned")
