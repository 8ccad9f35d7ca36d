"""What the words of a source are for when no person says so: the strictest that any of its records asks for."""

from __future__ import annotations

from collections.abc import Iterable

from core.corpus.records import Use
from core.settings import PrivacySettings

STRICTEST_FIRST: tuple[Use, ...] = ("none", "recall", "train")


def use_of(sorts: Iterable[str], privacy: PrivacySettings) -> Use:
    """The strictest use that any of these sorts of records (``sort_of``) asks for."""
    return min((_use_of_sort(sort, privacy) for sort in sorts), key=STRICTEST_FIRST.index, default="train")


def _use_of_sort(sort: str, privacy: PrivacySettings) -> Use:
    if sort == "private conversation":
        return privacy.direct_messages
    if sort.endswith("journal"):
        return privacy.journal
    return "recall" if sort.endswith("profile") or sort.startswith("private") else "train"
