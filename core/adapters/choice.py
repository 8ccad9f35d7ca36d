"""Which of the trained adapters the twin uses, and with which of the trained retrievers it searches."""

from __future__ import annotations

from pathlib import Path

from core.errors import UsageError
from core.models import packaged
from core.models.embedder import EmbedderSpec
from core.models.packaged import MINILM, MINILM_HUB, resolve_embedder
from core.retrieval.query_head import check_embedder, load_query_head
from core.retrieval.retrievers import HEAD, Retriever, find_retriever, use_retriever
from core.store.adapters import AdapterRow, find_adapter, use_adapter
from core.store.chunks import vector_dimension
from core.workspace import Workspace


def adapter_named(workspace: Workspace, name: str) -> AdapterRow:
    """The adapter of this name. Raises UsageError for an unknown one."""
    adapter = find_adapter(workspace.database, name)
    if adapter is None:
        raise UsageError(f"no adapter {name!r} here", "see `simulee adapters list`")
    return adapter


def choose_adapter(workspace: Workspace, name: str | None) -> AdapterRow | None:
    """Let the twin use this adapter, or with None the bare base model. Raises UsageError for an unknown one."""
    adapter = adapter_named(workspace, name) if name is not None else None
    with workspace.database.write():
        use_adapter(workspace.database, adapter.id if adapter else None)
    return adapter


def retriever_named(workspace: Workspace, name: str) -> Retriever | None:
    """The retriever of this name, or None; a LoRA of the same name comes first."""
    if find_adapter(workspace.database, name) is not None:
        return None
    return find_retriever(workspace.adapters, name)


def choose_retriever(workspace: Workspace, name: str | None) -> None:
    """Search with this retriever, or with None with the embedder as it is. Loads no model.

    Raises UsageError for an unknown one and ModelError for one that does not fit what the passages are embedded with.
    """
    found = find_retriever(workspace.adapters, name) if name is not None else None
    if found is not None:
        _check_fit(workspace, found)
    use_retriever(workspace.adapters, name)


def _check_fit(workspace: Workspace, retriever: Retriever) -> None:
    told, named = retriever.card["embedder"], workspace.settings.models.embedder.model
    model = MINILM if named == MINILM_HUB else named
    where = resolve_embedder(named)
    # Vectors of an earlier revision may still be there; what searches is the one that lies here now.
    revision = packaged.revision(where) if isinstance(where, Path) else str(told.get("revision", ""))
    dimension = vector_dimension(workspace.database, model, revision)
    spec = EmbedderSpec(model, revision if dimension else "(no passage is embedded with it)", dimension, 0)
    check_embedder(f"the {retriever.kind}", told, spec)
    if retriever.kind == HEAD:
        load_query_head(retriever.folder, spec)
