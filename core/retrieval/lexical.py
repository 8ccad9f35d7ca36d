"""The lexical order of one workspace: which words of a query are looked for, and on which thread."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from core.retrieval.function_words import telling_words
from core.store.chunks import lexical_search, newest_chunk, passages_with
from core.store.database import Database
from core.workspace import Workspace

MOST_SCORED = 8_000
"""Passages that a query's words may hold together: BM25 reads every one of them, most of them for a common word."""
FEWEST_WORDS = 1
"""Words that are looked for however common they are."""
LARGE = 20_000
"""Passages from which words are looked for on a thread of their own, beside the vectors."""

Scored = list[tuple[int, float]]
"""(chunk id, score), best first."""


class LexicalOrder:
    """Finds passages by words. It belongs to one thread, as its workspace does."""

    def __init__(self, workspace: Workspace) -> None:
        self._database = workspace.database
        self._counted: tuple[int, dict[str, int]] = (-1, {})
        self._thread: ThreadPoolExecutor | None = None
        self._reader: Database | None = None

    def begin(
        self, text: str, k: int, before: int | None, include_undated: bool, not_conversation: int
    ) -> Callable[[], Scored]:
        """Look for the best ``k`` passages; what is returned waits for them. See ``lexical_search``."""

        def look(database: Database) -> Scored:
            every = telling_words(text) or [*dict.fromkeys(re.findall(r"\w+", text.casefold()))]
            found: Scored = []
            for words in self._choices(database, every):
                match = " OR ".join(f'"{word}"' for word in words)
                found = lexical_search(database, match, k, before, include_undated, not_conversation)
                if len(found) >= k:
                    break
            return found

        if newest_chunk(self._database) < LARGE:
            found = look(self._database)
            return lambda: found
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "words")
        waiting: Future[Scored] = self._thread.submit(lambda: look(self._own()))
        return waiting.result

    def _own(self) -> Database:
        """A connection of the thread's own: SQLite reads beside itself, a connection does not."""
        if self._reader is None:
            self._reader = Database.open(self._database.path)
        return self._reader

    def _choices(self, database: Database, words: list[str]) -> list[list[str]]:
        """Which words to look for, and which where those bring too little; nothing where there is no word.

        In a large corpus the commonest words give way, since they tell least: the rarest are kept, up to
        ``MOST_SCORED`` passages.
        """
        newest = newest_chunk(database)
        rarest = self._rarest(database, words, newest) if newest >= LARGE else words
        return [each for each in (rarest, *([words] if len(rarest) < len(words) else [])) if each]

    def _rarest(self, database: Database, words: list[str], newest: int) -> list[str]:
        if self._counted[0] != newest:
            self._counted = (newest, {})
        known = self._counted[1]
        for word in words:
            if word not in known:
                known[word] = passages_with(database, f'"{word}"', MOST_SCORED)
        there = [word for word in words if known[word]]
        kept: set[str] = set()
        scored = 0
        for word in sorted(there, key=lambda word: known[word]):
            scored += known[word]
            if scored > MOST_SCORED and len(kept) >= FEWEST_WORDS:
                break
            kept.add(word)
        return [word for word in there if word in kept]
