"""An embedder that keeps the vectors of the last texts: a question is read by search, writer and judge, and a passage's
sentences are read again with every question that finds it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.models.embedder import Embedder, EmbedderSpec

MOST = 16_384
"""Texts whose vectors are kept: of 384 numbers each about 25 MB."""


class KeptVectors:
    """Another embedder's vectors, each made once while it is kept. Safe between threads where the other one is."""

    def __init__(self, embedder: Embedder, most: int = MOST) -> None:
        self._embedder = embedder
        self._most = most
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    @property
    def spec(self) -> EmbedderSpec:
        """The other embedder's."""
        return self._embedder.spec

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the other embedder does. Raises ModelError."""
        wanted = dict.fromkeys(texts)
        with self._lock:
            known = {text: self._kept[text] for text in wanted if text in self._kept}
            for text in known:
                self._kept.move_to_end(text)
        missing = [text for text in wanted if text not in known]
        if missing:
            # Copies, so that one that is kept does not keep the others.
            fresh = {text: row.copy() for text, row in zip(missing, self._embedder.embed(missing), strict=True)}
            known |= fresh
            with self._lock:
                self._kept.update(fresh)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        found = np.empty((len(texts), self.spec.dimension), dtype=np.float32)
        for place, text in enumerate(texts):
            found[place] = known[text]
        return found

    def count_tokens(self, text: str) -> int:
        """The other embedder's count."""
        return self._embedder.count_tokens(text)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """The other embedder's spans."""
        return self._embedder.token_spans(text)
