"""A trained head: a matrix that turns the query's vector toward the passages that this person answers from.

Only the query is turned, so nothing is embedded again (RA-DIT, Lin et al. 2023, tunes the query side alone). The head
lies in the workspace's adapters and belongs to one embedder at one revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.models.embedder import EmbedderSpec, normalized

HEAD_FILE = Path("retriever") / "head.safetensors"
"""Under the workspace's ``adapters``."""
TENSOR = "query"
"""float32 of shape (dimension, dimension), applied as ``matrix @ vector``."""
HINT = "train it again: simulee train retriever; or leave it out: query_head = false under [retrieval]"


@dataclass(frozen=True, slots=True)
class QueryHead:
    """A matrix for one embedder's query vectors."""

    matrix: NDArray[np.float32]
    identity: str
    """Hash of the file: part of the key of what was found with it."""

    def turned(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector to search with. Raises ModelError where the head leaves nothing of the query."""
        turned = np.asarray(self.matrix @ vector, dtype=np.float32)
        return np.asarray(normalized(turned[None], "the query head")[0], dtype=np.float32)


def load_query_head(adapters: Path, spec: EmbedderSpec) -> QueryHead | None:
    """The workspace's head, or None where none was trained.

    Raises ModelError for one that cannot be read or was trained for another embedder.
    """
    path = adapters / HEAD_FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
        tensors = load(data)
        told = _metadata(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"the query head {path} cannot be read: {error}", HINT) from None
    wanted = {"model": spec.model, "revision": spec.revision}
    for name, value in wanted.items():
        if told.get(name) != value:
            raise ModelError(
                f"the query head was trained for the {name} {told.get(name, '(none)')!r} of an embedder, not {value!r}",
                HINT,
            )
    matrix = tensors.get(TENSOR)
    if matrix is None or matrix.shape != (spec.dimension, spec.dimension) or matrix.dtype != np.float32:
        shape = "missing" if matrix is None else f"{matrix.dtype} of {matrix.shape}"
        raise ModelError(f"the query head's matrix is {shape}, not float32 of {(spec.dimension,) * 2}", HINT)
    if not np.isfinite(matrix).all():
        raise ModelError("the query head's matrix is not finite", HINT)
    return QueryHead(np.asarray(matrix, dtype=np.float32), sha256(data).hexdigest()[:12])


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})
