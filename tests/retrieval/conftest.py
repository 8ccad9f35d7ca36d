"""Notes and interviews that are imported and embedded, and the embedder, loaded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.journey import EMBED
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.retrieval.search import Searcher
from core.runs.control import run_to_end
from core.settings import RetrievalSettings
from core.workspace import Workspace

Embedded = Callable[..., Workspace]


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture
def embedded(workspace: Workspace, tmp_path: Path, import_paths: Callable[..., Any]) -> Embedded:
    """Write notes ``{file name: text}``, import them and other files, and embed: what is there stays."""

    def do(notes: Mapping[str, str], *files: Path) -> Workspace:
        folder = tmp_path / "notes"
        folder.mkdir(exist_ok=True)
        for name, text in notes.items():
            (folder / name).write_text(text, "utf-8")
        import_paths(workspace, [folder, *files] if notes else list(files))
        run_to_end(workspace, *EMBED, {})
        return workspace

    return do


@pytest.fixture
def searcher(embedder: Embedder) -> Callable[..., Searcher]:
    """A searcher with some settings in place of the defaults: ``searcher(workspace, questions=True)``."""

    def do(workspace: Workspace, **how: Any) -> Searcher:
        return Searcher(workspace, lambda: embedder, RetrievalSettings(**how))

    return do
