"""Which of the trained adapters the twin uses."""

from __future__ import annotations

from core.errors import UsageError
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
