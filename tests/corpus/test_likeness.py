"""Many texts against many find for each the one that comparing them one by one would find."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.likeness import Closest, closest

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "É"]), max_size=12).map(" ".join)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return set(zip(words, words[1:], words[2:], strict=False))


def _one_by_one(text: str, others: list[str]) -> Closest:
    common = [len(_runs(text) & _runs(other)) for other in others]
    most = max(common, default=0)
    return Closest(common.index(most) if most else -1, most, len(_runs(text)))


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), st.sampled_from([1, 10, 1000]))
def test_the_first_of_those_most_alike_is_found(texts: list[str], others: list[str], held: int) -> None:
    found = list(closest(texts, lambda: iter(others), held))
    assert found == [_one_by_one(text, others) for text in texts]


@pytest.mark.parametrize(("held", "readings"), [(10_000, 1), (1_000, 4), (1, 40)])
def test_the_others_are_read_once_for_as_many_runs_as_are_held(held: int, readings: int) -> None:
    chance = random.Random(0)
    texts = [" ".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=102)) for _ in range(40)]
    others = [text.replace("a b", "b a").replace("z", "y") for text in reversed(texts)]
    read = []
    found = list(closest(texts, lambda: read.append(1) or iter(others), held))
    assert [each.place for each in found] == list(range(39, -1, -1))
    assert len(read) == readings
