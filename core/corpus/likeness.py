"""Which of some texts is most like another one: the first with the most runs of three words in common.

Texts are not compared one by one but looked up in an index of their runs, so that many against many take the time that
reading them takes. The index holds a bounded number of runs; past that the others are read again for its next part.
Brings NumPy: import it late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_RUNS = 1 << 21
"""In memory at once, at some 100 bytes each; one text may have more."""
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Odd, so that nothing of a word's hash is lost; each place in a run has its own."""

_Runs = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Closest:
    """What one text has in common with the one that is most like it."""

    place: int
    """Of that one among the others; -1 where none has a run in common."""
    common: int
    """Runs."""
    runs: int
    """Its own."""


def closest(texts: Iterable[str], others: Callable[[], Iterable[str]], most_runs: int = MOST_RUNS) -> Iterator[Closest]:
    """For each text, in their order, which of ``others`` is most like it; these are read at least once.

    Runs are told apart by 64 bits of hash.
    """
    for part in _parts(texts, most_runs):
        index = _Index(part)
        common, place = np.zeros(len(part), np.int64), np.full(len(part), -1)
        for number, other in enumerate(others()):
            found = index.common(_runs(other))
            more = found > common
            common[more], place[more] = found[more], number
        for own, best, shared in zip(part, place, common, strict=True):
            yield Closest(int(best), int(shared), len(own))


def _parts(texts: Iterable[str], most_runs: int) -> Iterator[list[_Runs]]:
    part: list[_Runs] = []
    held = 0
    for text in texts:
        runs = _runs(text)
        if part and held + len(runs) > most_runs:
            yield part
            part, held = [], 0
        part.append(runs)
        held += len(runs)
    if part:
        yield part


def _runs(text: str) -> _Runs:
    """The different runs of three words of a text, ascending."""
    words = text.casefold().split()
    hashed = np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
    last = len(words) - 2
    if last < 1:
        return np.empty(0, np.uint64)
    return np.unique(hashed[:last] * _MIX[0] + hashed[1:-1] * _MIX[1] + hashed[2:] * _MIX[2])


class _Index:
    """Which of some texts hold a run."""

    def __init__(self, texts: list[_Runs]) -> None:
        runs = np.concatenate(texts)
        order = np.argsort(runs)
        self._size = len(texts)
        self._owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in texts])[order]
        """By run: those of ``_keys[n]`` are ``_counts[n]`` from ``_starts[n]`` on."""
        self._keys, self._starts, self._counts = np.unique(runs[order], return_index=True, return_counts=True)

    def common(self, runs: _Runs) -> NDArray[np.int64]:
        """How many of some runs, each given once, every text holds."""
        places = np.searchsorted(self._keys, runs)
        within = places < len(self._keys)
        found = places[within][self._keys[places[within]] == runs[within]]
        counts = self._counts[found]
        before = np.cumsum(counts) - counts
        at = np.arange(counts.sum()) + np.repeat(self._starts[found] - before, counts)
        return np.bincount(self._owners[at], minlength=self._size)
