"""Vectors that are kept are those that would be made again, and each is made once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.models.embedder import EmbedderSpec
from core.models.kept_vectors import KeptVectors
from core.models.load_embedder import load_embedder


class Counting:
    """Vectors that tell their text, and how often each was made."""

    spec = EmbedderSpec("counting", "1", 3, 16)

    def __init__(self) -> None:
        self.made: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.made += texts
        return np.array([_vector(text) for text in texts], dtype=np.float32).reshape(len(texts), 3)

    def count_tokens(self, text: str) -> int:
        return len(text)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def _vector(text: str) -> list[float]:
    return [float(len(text)), float(sum(map(ord, text))), 1.0]


@given(st.lists(st.lists(st.text(max_size=3), max_size=6), max_size=8), st.integers(1, 5))
def test_whatever_is_asked_in_whatever_order_the_vectors_are_the_embedder_s(asks: list[list[str]], most: int) -> None:
    kept = KeptVectors(Counting(), most)
    for texts in asks:
        found = kept.embed(texts)
        assert found.shape == (len(texts), 3)
        assert found.tolist() == [_vector(text) for text in texts]


def test_a_text_is_read_once_while_it_is_kept_and_again_when_it_was_let_go() -> None:
    counting = Counting()
    kept = KeptVectors(counting, most=2)
    kept.embed(["a", "b", "a"])
    kept.embed(["a"])
    assert counting.made == ["a", "b"]
    kept.embed(["c"])  # b goes: a was asked for since.
    kept.embed(["a", "b"])
    assert counting.made == ["a", "b", "c", "b"]


def test_what_is_done_to_a_result_does_not_change_what_is_kept() -> None:
    kept = KeptVectors(Counting())
    kept.embed(["a"])[:] = 0
    assert kept.embed(["a"]).tolist() == [_vector("a")]


def test_several_threads_get_what_is_theirs() -> None:
    kept = KeptVectors(Counting(), most=8)
    texts = [["x" * (number % 11), "y" * (number % 7)] for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        for asked, found in zip(texts, pool.map(kept.embed, texts), strict=True):
            assert found.tolist() == [_vector(text) for text in asked]


def test_the_real_embedder_s_vectors_are_the_same_bytes() -> None:
    embedder = load_embedder()
    texts = ["The lamp at the head.", "A letter from the bank, and rain."]
    kept = KeptVectors(embedder)
    kept.embed(texts[1:])
    assert kept.embed(texts).tobytes() == embedder.embed(texts).tobytes()
    assert kept.spec == embedder.spec
