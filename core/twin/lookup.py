"""Look passages up as the twin finds them, from a process that must stay light."""

from __future__ import annotations

from pathlib import Path

from core.errors import UsageError
from core.models.embedder import Embedder
from core.models.packaged import resolve_embedder
from core.models.roles import embedder_of
from core.recall.run import recallable_words
from core.retrieval.search import Found, Mode, Query, Searcher
from core.store.chunks import count_chunks
from core.twin.chat import as_of_day
from core.workspace import Workspace


def look_up(workspace: Workspace, words: str, as_of: str = "") -> tuple[tuple[Found, ...], str]:
    """The best passages, strictly before a date where one is given, and how they were found in words.

    Where the embedder would need torch, the search is by words alone. Raises UsageError.
    """
    if not words.strip():
        raise UsageError("recall what?", "/recall WORDS")
    if not count_chunks(workspace.database):
        raise UsageError("nothing is embedded yet", "simulee import SOURCE, then simulee embed")
    settings = workspace.settings
    mode: Mode = settings.retrieval.mode if embeds_lightly(workspace) else "lexical"
    query = Query(words, settings.retrieval.k, as_of_day(as_of), mode, settings.retrieval.include_undated)
    found = Searcher(workspace, lambda: _embedder(workspace)).search(query, recallable_words(workspace))
    return tuple(found), "by words" if mode == "lexical" else "as the twin finds them"


def embeds_lightly(workspace: Workspace) -> bool:
    """Whether the embedder runs without torch."""
    where = resolve_embedder(workspace.settings.models.embedder.model)
    if not isinstance(where, Path):
        return False
    from core.models.bert import can_read

    return can_read(where)


def _embedder(workspace: Workspace) -> Embedder:
    return embedder_of(workspace.settings)
