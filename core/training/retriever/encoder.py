"""The whole encoder, for queries only: it begins as the one that embedded the passages, whose vectors stay frozen.

Its weights are float32 whatever its files hold: what a step changes is too little for a half-precision one to say.
Meant for a GPU; on a CPU a step over sixteen questions takes MiniLM about a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from core.errors import ModelError
from core.models import packaged
from core.models.embedder import EmbedderSpec, readable
from core.models.load_embedder import load_embedder
from core.retrieval.retrievers import ENCODER, QueryEncoder, TunedQuery


class EncoderModel:
    """A sentence-transformers model over the text of the questions."""

    kind = ENCODER

    def __init__(self, name: str, texts: Sequence[str], seed: int) -> None:
        """Load the embedder ``name``. Raises ModelError where it cannot be loaded."""
        import transformers
        from sentence_transformers import SentenceTransformer

        transformers.utils.logging.disable_progress_bar()
        torch.manual_seed(seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._model = SentenceTransformer(
                str(packaged.resolve_embedder(name)), device=self.device, trust_remote_code=False,
                model_kwargs={"dtype": torch.float32},
            ).float()  # fmt: skip
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0] if str(error) else repr(error)
            raise ModelError(
                f"the embedder {name} cannot be loaded for training: {reason}",
                "train a head instead: simulee train retriever without --full",
            ) from error
        self._texts = [readable(text) for text in texts]
        self._prompt = self._model.prompts.get(self._model.default_prompt_name or "")
        """What ``encode``, and so a search, puts before a text that is given without a prompt."""
        self._half = self.device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)

    def parameters(self) -> list[torch.Tensor]:
        return [each for each in self._model.parameters() if each.requires_grad]

    def train(self, on: bool) -> None:
        """With or without dropout."""
        self._model.train(on)

    def vectors(self, rows: Sequence[int]) -> torch.Tensor:
        """Unit vectors of some questions, shape (rows, dimension)."""
        features = self._model.preprocess([self._texts[row] for row in rows], prompt=self._prompt)
        features = {key: each.to(self.device) if torch.is_tensor(each) else each for key, each in features.items()}
        with torch.autocast(self.device, torch.bfloat16, enabled=self._half):
            found = self._model(features)["sentence_embedding"]
        return torch.nn.functional.normalize(found.float(), dim=1)

    def penalty(self) -> torch.Tensor:
        """Nothing holds it: it learns slowly, and stops early."""
        return torch.zeros((), device=self.device)

    def save(self, folder: Path, spec: EmbedderSpec) -> TunedQuery:
        """Write it into the folder of its version, and load it from there as a search does."""
        self._model.save(str(folder / ENCODER), create_model_card=False)
        return QueryEncoder(load_embedder(str(folder / ENCODER)))
