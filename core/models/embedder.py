"""What an embedder is: text in, unit vectors out; and what every one of them checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

UNSTORABLE = re.compile("[\ud800-\udfff]")
"""Lone surrogates, which no tokenizer takes; each is read as U+FFFD, one character for one."""


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What makes two vectors comparable: the same model at the same revision."""

    model: str
    revision: str
    dimension: int
    max_tokens: int
    """Tokens that the model reads, its two special tokens included; the rest of a text is not seen."""


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their likeness."""

    @property
    def spec(self) -> EmbedderSpec:
        """Model, revision, dimension and length limit."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (texts, dimension), L2-normalized and finite. Raises ModelError otherwise."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, special tokens not counted."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, stop) of each token of the whole text, special tokens left out."""
        ...


def normalized(vectors: NDArray[np.float32], model: str) -> NDArray[np.float32]:
    """Vectors of shape (n, dimension) scaled to unit length; raises ModelError for one not finite or zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(length) & (length > 0)))
    if bad.size:
        raise ModelError(
            f"{model} gave no usable vector for {bad.size} of {len(vectors)} texts, the first at place {bad[0]}.",
            "Its files may be damaged: install the model again, or name another embedder.",
        )
    return np.asarray(vectors / length[:, None], dtype=np.float32)


def readable(text: str) -> str:
    """The text with each lone surrogate as U+FFFD; no offset moves."""
    return UNSTORABLE.sub("\ufffd", text)
