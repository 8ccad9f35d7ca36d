"""Which of the trained adapters the twin uses, and with which of the trained retrievers it searches."""

from __future__ import annotations

from core.errors import UsageError
from core.models.roles import embedder_of
from core.retrieval.retrievers import Retriever, find_retriever, use_retriever
from core.store.adapters import AdapterRow, find_adapter, use_adapter
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
    """Search with this retriever, or with None with the embedder as it is.

    Raises UsageError for an unknown one and ModelError for one that does not fit the workspace's embedder.
    """
    spec = embedder_of(workspace.settings).spec if name is not None else None
    use_retriever(workspace.adapters, name, spec)
