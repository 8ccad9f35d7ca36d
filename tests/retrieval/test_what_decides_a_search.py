"""The fingerprint of a search changes with all that decides what is found, so that what rests on it is made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from core.models.embedder import Embedder, EmbedderSpec
from core.retrieval.embedding import cut_documents
from core.retrieval.search import Searcher
from core.store.documents import list_documents
from core.workspace import Workspace

Importing = Callable[..., dict[str, Any]]


class _Named:
    """An embedder of another name; a fingerprint embeds nothing."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec


SPEC = EmbedderSpec("a", "1", 8, 64)


def _fingerprint(workspace: Workspace, spec: EmbedderSpec = SPEC) -> str:
    return Searcher(workspace, lambda: cast(Embedder, _Named(spec))).fingerprint()


def test_another_embedder_or_another_revision_finds_otherwise(workspace: Workspace) -> None:
    told = {_fingerprint(workspace, each) for each in (SPEC, replace(SPEC, model="b"), replace(SPEC, revision="2"))}
    assert len(told) == 3
    assert _fingerprint(workspace) in told


def test_so_does_another_title(
    workspace: Workspace, import_paths: Importing, tmp_path: Path, embedder: Embedder
) -> None:
    note = tmp_path / "note.md"
    told = []
    for title in ("Jars", "Ledgers", "Jars"):
        note.write_text(f"---\ntitle: {title}\n---\nPell paid for them.", "utf-8")
        import_paths(workspace, [note])
        cut_documents(workspace, embedder, list_documents(workspace.database))
        told.append(_fingerprint(workspace))
    assert told[0] == told[2] != told[1]
