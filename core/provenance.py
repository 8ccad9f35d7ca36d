"""Walk the chain of keys either way: message → memories → chunk → document → source, adapter → dataset → exchanges.

Ids are a letter or two and a row number, as lists print them: s source, d document, c conversation, x exchange,
k chunk, m memory, ds dataset, a adapter, sc scorecard, msg message.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UsageError
from core.store import links
from core.store.database import Database
from core.store.identity import row_number

NOUNS = {
    "s": "source", "d": "document", "c": "conversation", "x": "exchange", "k": "chunk", "m": "memory",
    "ds": "dataset", "a": "adapter", "sc": "scorecard", "msg": "message",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """One thing on the chain. ``depth`` is below zero for what it came from, above for what came of it."""

    depth: int
    id: str
    noun: str
    label: str


def trace(database: Database, reference: str) -> list[Link]:
    """The chain through one thing: where it came from, itself, what came of it. Raises UsageError."""
    noun, row_id = _parse(database, reference)
    label = links.label(database, noun, row_id)
    if label is None:
        raise UsageError(f"nothing here has the id {reference!r}", f"ids look like {', '.join(f'{k}1' for k in NOUNS)}")
    back = _walk(database, noun, row_id, links.came_from, -1)
    ahead = _walk(database, noun, row_id, links.became, 1)
    return [*sorted(back, key=lambda link: link.depth), Link(0, reference, noun, label), *ahead]


def _parse(database: Database, reference: str) -> tuple[str, int]:
    letters = reference.rstrip("0123456789")
    number = row_number(reference, letters) if letters in NOUNS else -1
    if number >= 0:
        return NOUNS[letters], number
    adapter = links.adapter_named(database, reference)
    if adapter is not None:
        return "adapter", adapter
    raise UsageError(f"{reference!r} is not an id", f"ids look like {', '.join(f'{key}1' for key in NOUNS)}")


def _walk(database: Database, noun: str, row_id: int, step: links.Step, direction: int) -> list[Link]:
    found: list[Link] = []
    seen = {(noun, row_id)}
    frontier = [(noun, row_id)]
    depth = 0
    while frontier:
        depth += direction
        reached = []
        for place in frontier:
            for following in step(database, *place):
                if following not in seen:
                    seen.add(following)
                    reached.append(following)
        for following in reached:
            label = links.label(database, *following)
            if label is not None:
                letters = next(key for key, value in NOUNS.items() if value == following[0])
                found.append(Link(depth, f"{letters}{following[1]}", following[0], label))
        frontier = reached
    return found
