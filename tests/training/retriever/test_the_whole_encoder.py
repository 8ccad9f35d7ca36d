"""The whole query encoder learns on a CPU in a few steps, and searches through the vectors that were stored before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.models.load_embedder import load_embedder
from core.retrieval.retrievers import ENCODER, FOLDER, load_tuned_query, use_retriever
from core.retrieval.search import Query, Searcher
from core.runs.control import run_to_end
from core.store.fingerprints import fingerprint
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from core.workspace import Workspace
from tests.training.retriever.harbor import MANY, TOPICS, make_harbor, question

pytestmark = pytest.mark.slow
HELD_OUT = TOPICS[-2 * MANY :]


def _entries_first(workspace: Workspace) -> int:
    """Of how many held-out topics the ledger's entry is found first."""
    searcher = Searcher(workspace, load_embedder)
    found = [searcher.search(Query(question(topic), 1, mode="vector"))[0].passage.chunk.text for topic in HELD_OUT]
    return sum(text.startswith("Ledger") and topic in text.lower() for topic, text in zip(HELD_OUT, found, strict=True))


def test_it_learns_is_searched_with_and_is_taken_back(tmp_path: Path) -> None:
    workspace = make_harbor(tmp_path, per_interview=MANY)
    before = fingerprint(workspace.database, "embed")
    assert _entries_first(workspace) == 0
    params = retriever_params(workspace, full=True, lsr_weight=0.0, steps=8, learning_rate=5e-5)
    done = run_to_end(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params)
    assert done["kind"] == "encoder"
    assert done["after"]["validation"]["mrr"] > done["before"]["validation"]["mrr"]
    assert done["used"]
    assert _entries_first(workspace) >= len(HELD_OUT) // 2
    assert fingerprint(workspace.database, "embed") == before
    # A query goes through the folder beside the card; passages and everything else through the embedder as it is.
    embedder = load_embedder()
    tuned = load_tuned_query(workspace.adapters, embedder.spec)
    assert tuned is not None
    plain = embedder.embed([question(TOPICS[0])])[0]
    turned = tuned.vector(question(TOPICS[0]), plain)
    assert float(np.linalg.norm(turned)) == pytest.approx(1, abs=1e-5)
    assert float(plain @ turned) < 0.99
    assert (workspace.adapters / FOLDER / done["adapter"] / ENCODER / "model.safetensors").is_file()
    assert Searcher(workspace, lambda: embedder).fingerprint() != _reverted(workspace)
    assert _entries_first(workspace) == 0


def _reverted(workspace: Workspace) -> str:
    use_retriever(workspace.adapters, None)
    return Searcher(workspace, load_embedder).fingerprint()
