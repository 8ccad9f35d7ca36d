"""A trained head: a matrix that turns the query's vector toward the passages that this person answers from.

Only the query is turned, so nothing is embedded again (RA-DIT, Lin et al. 2023, tunes the query side alone). The head
is one version of a retriever (``retrievers``) and belongs to one embedder at one revision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.models.embedder import EmbedderSpec, normalized

HEAD_FILE = "head.safetensors"
"""In the folder of its version."""
TENSOR = "query"
"""float32 of shape (dimension, dimension), applied as ``matrix @ vector``."""
HINT = "train it again: simulee train retriever; or search without it: simulee adapters revert --retriever"


@dataclass(frozen=True, slots=True)
class QueryHead:
    """A matrix for one embedder's query vectors."""

    matrix: NDArray[np.float32]
    identity: str
    """Hash of the file: part of the key of what was found with it."""

    def vector(self, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector to search with, from the query's own. Raises ModelError where nothing of it is left."""
        turned = np.asarray(self.matrix @ vector, dtype=np.float32)
        return np.asarray(normalized(turned[None], "the query head")[0], dtype=np.float32)


def load_query_head(folder: Path, spec: EmbedderSpec) -> QueryHead:
    """The head in the folder of its version.

    Raises ModelError for one that is gone, cannot be read, or was trained for another embedder.
    """
    path = folder / HEAD_FILE
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
        tensors = load(data)
        told = _metadata(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"the query head {path} cannot be read: {error}", HINT) from None
    check_embedder("the query head", told, spec)
    matrix = tensors.get(TENSOR)
    if matrix is None or matrix.shape != (spec.dimension, spec.dimension) or matrix.dtype != np.float32:
        shape = "missing" if matrix is None else f"{matrix.dtype} of {matrix.shape}"
        raise ModelError(f"the query head's matrix is {shape}, not float32 of {(spec.dimension,) * 2}", HINT)
    if not np.isfinite(matrix).all():
        raise ModelError("the query head's matrix is not finite", HINT)
    return QueryHead(np.asarray(matrix, dtype=np.float32), sha256(data).hexdigest()[:12])


def save_query_head(folder: Path, matrix: NDArray[np.float32], spec: EmbedderSpec) -> None:
    """Write a head for an embedder into the folder of its version; the same head gives the same bytes.

    The safetensors library writes metadata in an order that chance decides, so the file is put together here.
    """
    data = np.ascontiguousarray(matrix, dtype="<f4").tobytes()
    header = {
        "__metadata__": {"model": spec.model, "revision": spec.revision},
        TENSOR: {"dtype": "F32", "shape": list(matrix.shape), "data_offsets": [0, len(data)]},
    }
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    (folder / HEAD_FILE).write_bytes(len(told).to_bytes(8, "little") + told + data)


def check_embedder(what: str, told: Mapping[str, object], spec: EmbedderSpec) -> None:
    """Raises ModelError where what was trained for one embedder meets another one, or another revision."""
    for name, value in {"model": spec.model, "revision": spec.revision}.items():
        if told.get(name) != value:
            raise ModelError(
                f"{what} was trained for the {name} {told.get(name, '(none)')!r} of an embedder, not {value!r}", HINT
            )


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})
