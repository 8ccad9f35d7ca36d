"""Which embedder a name means.

MiniLM runs on onnxruntime, whose import takes a fifth of a second where torch takes several, so that one search
answers at once; every other model goes through the sentence-transformers library, imported only when it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from core.models import packaged
from core.models.embedder import Embedder


def load_embedder(name: str = packaged.MINILM) -> Embedder:
    """Load an embedder: the packaged MiniLM, a folder of the same make, or any sentence-transformers model.

    Raises ModelError where it is not installed or cannot be loaded.
    """
    where = packaged.resolve_embedder(name)
    if isinstance(where, Path):
        from core.models.bert import BertEmbedder, can_read

        if can_read(where):
            return BertEmbedder.load(where, packaged.MINILM if name == packaged.MINILM_HUB else name)
    from core.models.sentence_library import SentenceLibraryEmbedder

    return SentenceLibraryEmbedder.load(where, name)
