"""Any other embedding model, through the sentence-transformers library: slow to import, wide in what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.models import packaged
from core.models.embedder import EmbedderSpec, normalized, readable


class SentenceLibraryEmbedder:
    """An ``Embedder`` over ``SentenceTransformer``; its vectors may differ in the last bits with the batch."""

    def __init__(self, model: Any, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._model = model

    @classmethod
    def load(cls, where: Path | str, name: str) -> SentenceLibraryEmbedder:
        """Load from a folder or a hub name, without remote code. Raises ModelError when it cannot be loaded."""
        from sentence_transformers import SentenceTransformer

        try:
            model = SentenceTransformer(str(where), trust_remote_code=False)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ModelError(
                f"The embedder {name} cannot be loaded: {str(error).splitlines()[0] if str(error) else error!r}",
                "Give a sentence-transformers folder or hub name; offline, only what is on this machine can be used.",
            ) from error
        dimension = model.get_embedding_dimension()
        if not dimension or not getattr(model.tokenizer, "is_fast", False):
            raise ModelError(
                f"{name} tells no dimension or no token offsets.", "Choose a text model with a fast tokenizer."
            )
        spec = EmbedderSpec(name, _revision(where, model), int(dimension), int(model.max_seq_length or 512))
        return cls(model, spec)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (texts, dimension), L2-normalized and finite. Raises ModelError otherwise."""
        if not texts:
            return np.zeros((0, self.spec.dimension), dtype=np.float32)
        found = self._model.encode([readable(text) for text in texts], show_progress_bar=False, convert_to_numpy=True)
        return normalized(np.asarray(found, dtype=np.float32), self.spec.model)

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, special tokens not counted."""
        return len(self.token_spans(text))

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, stop) of each token of the whole text, special tokens left out."""
        found = self._model.tokenizer(
            readable(text), add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [(int(start), int(stop)) for start, stop in found["offset_mapping"]]


def _revision(where: Path | str, model: Any) -> str:
    """The digest of a folder's weights, or the commit that the hub gave."""
    if isinstance(where, Path):
        return packaged.revision(where)
    config = getattr(getattr(model[0], "model", None), "config", None)
    return str(getattr(config, "_commit_hash", None) or "unknown")[: packaged.REVISION_LENGTH]
