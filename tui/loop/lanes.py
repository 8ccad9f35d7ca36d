"""Work off the event loop: a lane is one thread with its own connection to the workspace, and keeps its order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from core.workspace import Workspace

Result = TypeVar("Result")


class Lane:
    """One thread, one workspace, opened there at its first work."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._workspace: Workspace | None = None

    async def open(self, find: Callable[[], Workspace]) -> Path:
        """Find and open the workspace on the lane, migration included; returns its root. Raises what opening raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._open, find)

    def _open(self, find: Callable[[], Workspace]) -> Path:
        workspace = find()
        _ = workspace.database, workspace.settings
        self._workspace = workspace
        return workspace.root

    async def call(self, root: Path, function: Callable[..., Result], *arguments: object) -> Result:
        """``function(workspace, …)`` on this lane."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, root, function, arguments)

    def _call(self, root: Path, function: Callable[..., Result], arguments: tuple[object, ...]) -> Result:
        from core.workspace import Workspace

        if self._workspace is None or self._workspace.root.resolve() != root:
            self._workspace = Workspace.open(root)
        return function(self._workspace, *arguments)

    def close(self) -> None:
        """Let the thread go; what it is doing it finishes."""
        self._thread.shutdown(wait=False, cancel_futures=True)
