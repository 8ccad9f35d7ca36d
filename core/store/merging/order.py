"""Two histories folded into one: the order of each side is kept, and what neither side knows is ordered by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, TypeVar

Item = TypeVar("Item", bound=str)


def folded(own: Sequence[Item], other: Sequence[Item], key: Callable[[Item], Any]) -> list[Item]:
    """Every item of both, once; the same whichever side is ``own``.

    What stands before something on either side stands before it here too; among what may come next the smallest key
    comes first, and ``key`` tells any two items apart. Clocks therefore decide only between what happened on different
    sides. Where the sides contradict each other, which merges by other means could bring about, the smallest key goes
    on.
    """
    after: dict[Item, set[Item]] = {item: set() for item in (*own, *other)}
    for side in (own, other):
        for first, second in pairwise(side):
            after[first].add(second)
    waits = dict.fromkeys(after, 0)
    for following in after.values():
        for each in following:
            waits[each] += 1
    ready = [(key(item), item) for item, count in waits.items() if not count]
    heapify(ready)
    result: dict[Item, None] = {}
    while len(result) < len(after):
        item = heappop(ready)[1] if ready else _least(waits.keys() - result.keys(), key)
        if item in result:
            continue
        result[item] = None
        for each in after[item]:
            waits[each] -= 1
            if not waits[each]:
                heappush(ready, (key(each), each))
    return list(result)


def _least(items: Iterable[Item], key: Callable[[Item], Any]) -> Item:
    return min(items, key=key)
