"""Whether the twin has something of its own on a line: the cosine of the line and the best passage, off the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.dates import as_of_request
from core.models.roles import embedder_of
from core.retrieval.search import Query, Searcher
from core.workspace import Workspace


class Topics:
    """Looks lines up, one at a time, in a thread that has a store and an embedder of its own."""

    def __init__(self, root: Path, as_of: str, away: bool) -> None:
        """``away``: what may only be recalled is no reason to speak, since it could not be told there."""
        self._root = root
        self._before = as_of_request(as_of) if as_of else None
        self._away = away
        self._thread = ThreadPoolExecutor(1, "topics")
        self._searcher: Searcher | None = None
        self._workspace: Workspace | None = None
        self._busy = False

    async def likeness(self, text: str) -> float | None:
        """The best cosine, −1 where nothing is there; None while another line is looked up. Raises ModelError."""
        if self._busy:
            return None
        self._busy = True
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, text)
        finally:
            self._busy = False

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    def _look(self, text: str) -> float:
        if self._searcher is None:
            self._workspace = workspace = Workspace.open(self._root)
            # The bare cosine: what else orders results would change its scale.
            plain = workspace.settings.retrieval.model_copy(
                update={"second_hop": False, "mmr_lambda": 1.0, "per_document": 0}
            )
            self._searcher = Searcher(workspace, lambda: embedder_of(workspace.settings), plain)
        assert self._workspace is not None
        undated = self._workspace.settings.retrieval.include_undated
        query = Query(text, 1, self._before, "vector", undated)
        found = self._searcher.search(query, lambda passage: not self._away or passage.use == "train")
        return found[0].score if found else -1.0

    def _let_go(self) -> None:
        if self._workspace is not None:
            self._workspace.database.close()
