"""An evaluation from its start to its scorecard: what may be measured, and what is said of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.corpus.holdout import assign_splits
from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND, evaluate_params
from core.journey import EMBED
from core.models.causal_lm import CausalLM
from core.models.chat_tokenizer import model_folder
from core.models.packaged import SMOLLM2, revision
from core.models.roles import embedder_of
from core.retrieval.retrievers import CARD, LEARNED_FROM
from core.runs.control import run_to_end
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.conversations import exchanges_of, trainable_conversations
from core.store.datasets import ExampleRow, put_dataset
from core.workspace import Workspace
from tests.random_lora import random_lora
from tests.retrieval.put_retriever import put_head

pytestmark = pytest.mark.slow


def _adapter(workspace: Workspace, dataset: int | None = None) -> None:
    folder = workspace.adapters / "sft-1"
    random_lora(CausalLM(SMOLLM2).model, folder, 4, 0.01)
    known = revision(model_folder(SMOLLM2))
    hashed = folder_hash(folder, ADAPTER_FILES)
    row = AdapterRow(0, "sft-1", dataset, "sft-1", SMOLLM2, known, 1, "adapters/sft-1", hashed, {}, "2026-11-01")
    with workspace.database.write():
        use_adapter(workspace.database, put_adapter(workspace.database, row))


@pytest.fixture
def trained(workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]) -> Workspace:
    """Three interviews, too few to hold one out, and an adapter that was trained on them all."""
    paths = [write_interview(f"{year}-05-01", [("Who came?", f"Nobody, in {year}.")]) for year in (2011, 2012, 2013)]
    import_paths(workspace, paths)
    assert set(assign_splits(workspace).values()) == {"train"}
    examples = [
        ExampleRow(0, place, "train", row.uid, [], 10, 5, ())
        for place, row in enumerate(trainable_conversations(workspace.database))
    ]
    with workspace.database.write():
        number = put_dataset(workspace.database, "h", {}, 0, "2026-11-01", examples)
    _adapter(workspace, number)
    return workspace


def _retriever(workspace: Workspace, learned: bool, **told: str) -> None:
    """One in use that learned from every interview there is, or from none; ``told`` as in ``put_head``."""
    head = put_head(workspace, embedder_of(workspace.settings), np.eye(384), **told)
    rows = trainable_conversations(workspace.database) if learned else []
    asked = {each.uid: each.said for row in rows for each in exchanges_of(workspace.database, row.id)}
    card = json.loads((head.parent / CARD).read_text("utf-8")) | {"hash": "e12964", LEARNED_FROM: asked}
    (head.parent / CARD).write_text(json.dumps(card), "utf-8")


def test_an_adapter_and_a_retriever_are_not_measured_on_what_they_saw_though_that_is_set_aside_only_now(
    trained: Workspace, tmp_path: Path, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> None:
    import_paths(trained, [write_interview("2010-05-01", [("Who came?", "Everyone.")])])
    run_to_end(trained, *EMBED, {})
    _retriever(trained, True, model="another")  # Of another embedder: a search with it would fail.
    control = Workspace.create(tmp_path / "other", "Rex")
    _adapter(control)
    params = evaluate_params("b0,b4,b4-shuffled,b4-control", control=control.root)
    card = run_to_end(trained, EVALUATE_KIND, EVALUATE_ENTRY, params)["scorecard"]
    assert (card["adapter"], list(card["systems"])) == (None, ["b0", "b4-control"])
    assert card["retriever"] is None
    assert card["notes"][:3] == [
        "sft-1 was trained on 1 of the held-out conversations, so it is not measured.",
        "The retriever put learned from 1 of the held-out conversations: memories are found without it.",
        "Rex answers no question in the control workspace: there is no c1.",
    ]


def test_what_nothing_can_be_shuffled_for_is_not_run_and_the_retriever_is_named(
    trained: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> None:
    import_paths(trained, [write_interview("2014-05-01", [("Who came?", "Everyone.")])])
    run_to_end(trained, *EMBED, {})
    _retriever(trained, False)
    card = run_to_end(trained, EVALUATE_KIND, EVALUATE_ENTRY, evaluate_params("b4,b4-shuffled"))["scorecard"]
    assert list(card["systems"]) == ["b4"]
    assert "No question has another one's memories to be given, so b4-shuffled is not run." in card["notes"]
    assert card["retriever"] == {"name": "put", "hash": "e12964"}
    assert "Memories are found with the retriever put (e12964)." in card["notes"]
