"""A retriever that was not trained: a matrix put where a trained one would lie, and taken into use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.models.embedder import Embedder
from core.retrieval.query_head import HEAD_FILE, save_query_head
from core.retrieval.retrievers import CARD, FOLDER, use_retriever
from core.workspace import Workspace


def put_head(workspace: Workspace, embedder: Embedder, matrix: np.ndarray, name: str = "put", **told: str) -> Path:
    """Returns the head's file; ``told`` is what it says of its embedder in place of the truth."""
    folder = workspace.adapters / FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    spec = replace(embedder.spec, **told)
    save_query_head(folder, matrix.astype(np.float32), spec)
    card = {"kind": "head", "embedder": {"model": spec.model, "revision": spec.revision}, "hash": "", "created_at": ""}
    (folder / CARD).write_text(json.dumps(card), "utf-8")
    use_retriever(workspace.adapters, name)
    return folder / HEAD_FILE
