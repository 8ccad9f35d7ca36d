"""A source with two honest readings: the user is asked, and a preview may still look at one of them."""

from __future__ import annotations

from core.corpus.records import Options
from core.errors import ImportFailed


class Ambiguous(ImportFailed):
    """A source reads in more than one way; ``provisional`` is a reading good enough to count and sample."""

    def __init__(self, message: str, hint: str = "", provisional: Options | None = None) -> None:
        super().__init__(message, hint)
        self.provisional = provisional
