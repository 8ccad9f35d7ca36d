"""Which passages recall uses, how evenly, and which never: what a person looks at before they trust a retriever.

Counted over all memories, whatever was decided on them: it is the search that is looked at, not the review. Only
passages that recall may use at all are counted; private ones and those of others wait for the chat.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from core.store.coverage import PassageUse, last_question_day, passage_uses
from core.store.database import Database
from core.store.documents import own_words_exist

MOST_USED = 5
UNDATED = "undated"


@dataclass(frozen=True, slots=True)
class Used:
    """One passage or document, and how many memories there are of it."""

    id: str
    """The passage's, as lists print it (``k12``); empty for a document."""
    title: str
    date: str
    memories: int


@dataclass(frozen=True, slots=True)
class Group:
    """The passages of one source or one year."""

    name: str
    passages: int
    never: int
    """How many of them no question has recalled."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the memories of a workspace are spread over its passages."""

    passages: int
    """That recall may use."""
    recalled: int
    """Those that were recalled at least once."""
    memories: int
    too_new: int
    """Of those never recalled, the ones that no question could recall: none was asked after their date."""
    top_hundredth: float
    """Share of the memories that come from the most used 1% of the passages (rounded up to whole passages), 0 to 1."""
    top_tenth: float
    gini: float
    """0 when every passage is recalled equally often, toward 1 when one is always."""
    most_used: tuple[Used, ...]
    most_used_documents: tuple[Used, ...]
    """Documents and conversations."""
    by_source: tuple[Group, ...]
    by_year: tuple[Group, ...]
    """By the last year that a passage's date may mean; undated ones at the end."""

    @property
    def share(self) -> float:
        """Share of the passages that were recalled at least once, 0 to 1."""
        return self.recalled / self.passages if self.passages else 0.0


def coverage(db: Database) -> Coverage:
    """The report of a workspace; all zeros where nothing is embedded or recalled."""
    own = own_words_exist(db)
    # As ``training_words`` has it, which cannot be asked here: it comes with the models of a recall.
    uses = [each for each in passage_uses(db) if each.use == "train" and (each.kind != "profile" or not own)]
    counts = sorted((each.memories for each in uses), reverse=True)
    total = sum(counts)
    last = last_question_day(db)
    documents: Counter[tuple[str, str, str, str]] = Counter()
    for each in uses:
        documents[each.owner_uid, each.title, each.date, each.source] += each.memories
    ranked = sorted(uses, key=lambda each: (-each.memories, each.chunk_id))
    return Coverage(
        passages=len(uses),
        recalled=sum(count > 0 for count in counts),
        memories=total,
        too_new=sum(each.memories == 0 and each.last_day >= last >= 0 for each in uses),
        top_hundredth=_share_of_top(counts, 0.01),
        top_tenth=_share_of_top(counts, 0.1),
        gini=gini(counts),
        most_used=tuple(
            Used(f"k{each.chunk_id}", each.title, each.date, each.memories)
            for each in ranked[:MOST_USED]
            if each.memories
        ),
        most_used_documents=tuple(
            Used("", title, day, memories)
            for (_, title, day, _), memories in sorted(documents.items(), key=lambda item: (-item[1], item[0]))[
                :MOST_USED
            ]
            if memories
        ),
        by_source=_grouped(uses, lambda each: each.source),
        by_year=_grouped(uses, _year),
    )


def gini(counts: Sequence[int]) -> float:
    """The Gini coefficient of how often each was used; 0 where nothing was."""
    total = sum(counts)
    if not total:
        return 0.0
    size = len(counts)
    weighted = sum(place * count for place, count in enumerate(sorted(counts), 1))
    return round(2 * weighted / (size * total) - (size + 1) / size, 4)


def _share_of_top(descending: Sequence[int], share: float) -> float:
    total = sum(descending)
    return round(sum(descending[: math.ceil(len(descending) * share)]) / total, 4) if total else 0.0


def _grouped(uses: Sequence[PassageUse], name: Callable[[PassageUse], str]) -> tuple[Group, ...]:
    passages = Counter(map(name, uses))
    never = Counter(name(each) for each in uses if not each.memories)
    return tuple(Group(each, passages[each], never[each]) for each in sorted(passages))


def _year(each: PassageUse) -> str:
    # Digits sort before letters: undated ones come last.
    return str(date.fromordinal(each.last_day).year) if each.last_day > 0 else UNDATED
