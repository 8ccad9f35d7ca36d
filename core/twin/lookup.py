"""Look passages up as the twin finds them, from a process that must stay light."""

from __future__ import annotations

from pathlib import Path

from core.dates import as_of_request
from core.errors import UsageError
from core.models.packaged import resolve_embedder
from core.models.roles import embedder_of
from core.retrieval.search import Found, Mode, Query, Searcher
from core.store.chunks import count_chunks
from core.workspace import Workspace


def look_up(workspace: Workspace, words: str, as_of: str = "") -> tuple[tuple[Found, ...], str]:
    """The best passages, strictly before a date where one is given, and how they were found in words.

    Where the embedder would need torch, the search is by words alone. Raises UsageError.
    """
    if not words.strip():
        raise UsageError("no words to look for", "/recall WORDS")
    if not count_chunks(workspace.database):
        raise UsageError("nothing is embedded yet", "simulee import SOURCE, then simulee embed")
    settings = workspace.settings
    mode: Mode = settings.retrieval.mode if embeds_lightly(workspace) else "lexical"
    before = as_of_request(as_of) if as_of else None
    query = Query(words, settings.retrieval.k, before, mode, settings.retrieval.include_undated)
    found = Searcher(workspace, lambda: embedder_of(settings)).search(query)
    return tuple(found), "by words" if mode == "lexical" else "as the twin finds them"


def embeds_lightly(workspace: Workspace) -> bool:
    """Whether the embedder runs without torch."""
    where = resolve_embedder(workspace.settings.models.embedder.model)
    if not isinstance(where, Path):
        return False
    from core.models.bert import can_read

    return can_read(where)
