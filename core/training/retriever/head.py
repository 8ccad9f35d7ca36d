"""The head: a matrix on the query's vector, which begins as the identity and is held near it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.models.embedder import EmbedderSpec
from core.retrieval.query_head import load_query_head, save_query_head
from core.retrieval.retrievers import HEAD, TunedQuery
from core.settings import RetrieverSettings


class HeadModel:
    """``normalize((I + D) q)``, with D full or of low rank."""

    kind = HEAD
    device = "cpu"
    """It trains in seconds there, and gives the same bytes whatever the machine's other devices."""

    def __init__(self, queries: NDArray[np.float32], settings: RetrieverSettings) -> None:
        """``queries`` are the plain vectors of all questions, shape (questions, dimension)."""
        self._queries = torch.from_numpy(np.ascontiguousarray(queries))
        self._regularization = settings.regularization
        dimension = queries.shape[1]
        self._identity = torch.eye(dimension)
        if settings.rank:
            # One factor begins at zero, so that the whole begins at the identity; the other must not.
            random = torch.Generator().manual_seed(settings.seed)
            down = torch.randn(settings.rank, dimension, generator=random) / dimension**0.5
            self._factors = [torch.zeros(dimension, settings.rank), down]
        else:
            self._factors = [torch.zeros(dimension, dimension)]
        for factor in self._factors:
            factor.requires_grad_()

    def parameters(self) -> list[torch.Tensor]:
        return self._factors

    def train(self, on: bool) -> None:
        """There is nothing random in it."""

    def vectors(self, rows: Sequence[int]) -> torch.Tensor:
        """Unit vectors of some questions, shape (rows, dimension)."""
        return torch.nn.functional.normalize(self._queries[list(rows)] @ (self._identity + self._delta()).T, dim=1)

    def penalty(self) -> torch.Tensor:
        """The squared distance from the identity, divided by the dimension, weighted."""
        return self._regularization * self._delta().square().sum() / len(self._identity)

    def save(self, folder: Path, spec: EmbedderSpec) -> TunedQuery:
        """Write it into the folder of its version, and load it from there as a search does."""
        matrix = (self._identity + self._delta()).detach().numpy().astype(np.float32)
        save_query_head(folder, matrix, spec)
        return load_query_head(folder, spec)

    def _delta(self) -> torch.Tensor:
        return self._factors[0] @ self._factors[1] if len(self._factors) == 2 else self._factors[0]
