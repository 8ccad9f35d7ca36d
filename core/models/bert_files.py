"""The onnxruntime graphs of a BERT encoder in the cache: written once for each revision of the weights.

A graph gets its name only when it is whole. The 8-bit one is made by watching the float one work on made-up texts, and
is used only on processors that multiply bytes without overflow (VNNI) and only if it agrees with the float one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from core.errors import ModelError
from core.models import packaged

RECIPE = "v1"
"""Raised when ``bert_graph`` writes something else from the same weights."""
SILENT = 4
"""onnxruntime's log level at which only fatal errors are written to stderr."""
HIDDEN_OUTLIERS = 32
WIDE_OUTLIERS = 64
"""Channels kept in float, measured on MiniLM: fewer lose accuracy, more win none."""
LEAST_AGREEMENT = 0.999
"""Cosine of the two graphs' vectors, at worst, for the 8-bit one to be used."""
WATCHED_TEXTS = 8
WATCHED_TOKENS = 128

MOST_HEADER = 100_000_000
"""Bytes; the limit that the safetensors format sets."""
WORDS = "embeddings.word_embeddings.weight"

Floats = NDArray[np.float32]


class GraphFiles:
    """The graphs of the weights in one folder, written when they are first asked for."""

    def __init__(self, folder: Path, revision: str) -> None:
        self._folder = folder
        self._cache = packaged.cache_folder()
        self._stem = f"bert-{revision}-{RECIPE}"

    @cached_property
    def has_int8(self) -> bool:
        """Whether this processor, and these weights, allow the 8-bit graph; this writes it if need be."""
        return multiplies_bytes() and self.int8().stat().st_size > 0

    def words(self) -> Floats:
        """The word table, shape (vocabulary, hidden), mapped from the weight file. Raises KeyError without one."""
        file = self._folder / "model.safetensors"
        start, header = tensor_header(file)
        entry = header.get(WORDS) or header[f"bert.{WORDS}"]
        place = start + int(entry["data_offsets"][0])
        return np.memmap(file, dtype="<f4", mode="r", offset=place, shape=tuple(entry["shape"]))

    def float32(self) -> Path:
        """The graph that computes all in float32."""
        return self._written("float32", self._float32_bytes)

    def int8(self) -> Path:
        """The graph that multiplies in 8 bits; an empty file where it does not agree with the float one."""
        return self._written("int8", self._int8_bytes)

    def _written(self, kind: str, content: Callable[[], bytes]) -> Path:
        file = self._cache / f"{self._stem}-{kind}.onnx"
        if file.is_file():
            return file
        try:
            with tempfile.NamedTemporaryFile(dir=self._cache, prefix=f".{file.name}-", delete=False) as fresh:
                fresh.write(content())
            # Two processes may both have written it: the same content, so the last name wins.
            Path(fresh.name).replace(file)
        except OSError as error:
            raise ModelError(
                f"The embedder's graph cannot be written to {self._cache}: {error.strerror}.",
                f"Set {packaged.CACHE_VARIABLE} to a folder you can write to.",
            ) from error
        return file

    def _float32_bytes(self) -> bytes:
        from core.models.bert_graph import write_graph

        return write_graph(*self._weights_and_shape())

    def _int8_bytes(self) -> bytes:
        from core.models.bert_graph import write_graph

        weights, shape = self._weights_and_shape()
        texts = _made_up_texts(self.words())
        watching = open_session(write_graph(weights, shape, watch=True))
        seen = [watching.run(None, {"words": words}) for words in texts]
        names = [output.name for output in watching.get_outputs()]
        largest = {
            name: np.max([np.abs(values[place]).max(axis=0) for values in seen], axis=0)
            for place, name in enumerate(names)
            if place
        }
        made = write_graph(weights, shape, _outliers(largest, shape.layers))
        checked = open_session(made)
        agreement = min(
            _cosine(values[0], checked.run(None, {"words": words})[0])
            for values, words in zip(seen, texts, strict=True)
        )
        return made if agreement >= LEAST_AGREEMENT else b""

    def _weights_and_shape(self) -> tuple[Any, Any]:
        from safetensors.numpy import load_file

        from core.models.bert_graph import BertShape

        config = json.loads((self._folder / "config.json").read_text("utf-8"))
        weights = {
            name.removeprefix("bert."): np.asarray(values, dtype=np.float32)
            for name, values in load_file(self._folder / "model.safetensors").items()
            if values.dtype.kind == "f"
        }
        return weights, BertShape(
            config["num_hidden_layers"], config["num_attention_heads"], config.get("layer_norm_eps", 1e-12)
        )


def tensor_header(file: Path) -> tuple[int, dict[str, Any]]:
    """Where the tensors of a safetensors file begin, and its header. Raises ValueError when it is no such file."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > MOST_HEADER:
            raise ValueError(f"{file} is not a safetensors file")
        header = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return 8 + size, header


def open_session(graph: Path | bytes) -> Any:
    """An onnxruntime session on one thread, silent. Raises ModelError for a damaged graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    source = graph if isinstance(graph, bytes) else str(graph)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    # onnxruntime's errors share no base class of their own.
    except Exception as error:
        raise ModelError(
            f"The embedder's graph cannot be loaded: {error}",
            f"Delete {graph} and try again." if isinstance(graph, Path) else "Install the model again.",
        ) from error


def multiplies_bytes() -> bool:
    """Whether the processor has VNNI; without it, AVX2 adds products of bytes in 16 bits, which overflow."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return False
    return " avx512_vnni" in flags or " avx_vnni" in flags


def _made_up_texts(table: Floats) -> list[Floats]:
    """Words at random, the same ones always: outliers belong to the weights, not to what a text says."""
    random = np.random.RandomState(0)
    return [table[random.randint(0, len(table), WATCHED_TOKENS)] for _ in range(WATCHED_TEXTS)]


def _outliers(largest: dict[str, Floats], layers: int) -> Any:
    """The channels that grew the largest, from each watched state's largest value by channel."""
    from core.models.bert_graph import Outliers

    states = [values / np.median(values) for name, values in largest.items() if name.startswith("state.")]
    return Outliers(
        _top(np.max(states, axis=0), HIDDEN_OUTLIERS),
        tuple(_top(largest[f"wide.{layer}"], WIDE_OUTLIERS) for layer in range(layers)),
    )


def _top(values: Floats, count: int) -> NDArray[np.int64]:
    return np.sort(np.argsort(-values, kind="stable")[:count])


def _cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
