"""CONTEXT: the facts that an answer may state, as dated lines: what a person stated, and what was recalled lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.prompts.render import PromptTurn, RecalledMemory
from core.recall.recollect import Recollection

EARLIER_TURNS = 2
"""Turns before the question whose memories still count: one talks about a thing for more than one turn."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``date`` is ISO to its precision, or empty."""

    text: str
    date: str = ""
    title: str = ""
    source: Recollection | None = None
    """The recollection, for what was recalled for this question."""
    private: bool = False
    """It may be known and is not shown."""
    stated: bool = False
    """A person stated it in so many words."""

    @property
    def line(self) -> str:
        """As the writer reads it."""
        place = ", ".join(part for part in (self.date or "undated", self.title) if part)
        return f"({place}) {' '.join(self.text.split())}"

    @property
    def shown(self) -> str:
        """As a reader sees it: what is not shown keeps its words to itself."""
        if not self.private:
            return self.line
        chunk = f", k{self.source.found.passage.chunk.id}" if self.source else ""
        return f"({self.date or 'undated'}{chunk}) [kept private]"


def facts_of(
    stated: Sequence[RecalledMemory],
    recollections: Sequence[Recollection],
    earlier: Sequence[PromptTurn] = (),
) -> list[Fact]:
    """What a person stated, what was recalled for the question, and what was recalled for the turns before it.

    Of what was recalled before it is not known any more whether it may be shown, so it is not. No text stands twice.
    """
    found = [Fact(each.text, each.date, each.title, stated=True) for each in stated]
    for each in recollections:
        passage = each.found.passage
        found.append(Fact(each.retold.text, passage.date, passage.title, each, passage.use == "recall"))
    for turn in reversed(earlier[-EARLIER_TURNS:]):
        found += [Fact(each.text, each.date, each.title, private=True) for each in turn.memories]
    kept: dict[str, Fact] = {}
    for fact in found:
        key = " ".join(fact.text.casefold().split())
        if key:
            kept.setdefault(key, fact)
    return list(kept.values())
