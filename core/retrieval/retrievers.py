"""Versions of a trained retriever: each a folder under ``adapters/retriever``, and one of them, or none, in use.

A version tunes the query side alone, as a head (a matrix on the query's vector) or as a whole encoder, so the stored
vectors of passages stay valid. ``card.json`` beside it tells what it was trained on and what that brought.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.atomic import write_atomically
from core.errors import ModelError, UsageError
from core.models.embedder import Embedder, EmbedderSpec
from core.retrieval.query_head import HINT, check_embedder, load_query_head

FOLDER = "retriever"
"""Under the workspace's ``adapters``."""
IN_USE = "in-use"
"""Beside the versions: the name of the one that searches use."""
CARD = "card.json"
LEARNED_FROM = "learned_from"
"""In a card: of every exchange that was trained on, its uid and ``ExchangeRow.said``."""
HEAD, ENCODER = "head", "encoder"
"""What a version is; ``encoder`` is also the folder of the model within it."""


class TunedQuery(Protocol):
    """Turns a query into the vector to search with."""

    @property
    def identity(self) -> str:
        """Changes with the weights: part of the key of what was found with it."""
        ...

    def vector(self, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector to search with, shape (dimension,), for a query and its plain vector. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class Retriever:
    """One version, as its card tells it."""

    name: str
    folder: Path
    kind: str
    """``head`` or ``encoder``."""
    embedder: str
    hash: str
    created_at: str
    card: dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueryEncoder:
    """A whole encoder for queries, trained from the one that embedded the passages."""

    embedder: Embedder

    @property
    def identity(self) -> str:
        return self.embedder.spec.revision

    def vector(self, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector to search with; the plain one is not read."""
        return np.asarray(self.embedder.embed([text])[0], dtype=np.float32)


def list_retrievers(adapters: Path) -> list[Retriever]:
    """Every version, oldest first. One whose card cannot be read is left out."""
    found = [_read(card.parent) for card in (adapters / FOLDER).glob(f"*/{CARD}")]
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (each.created_at, each.name))


def find_retriever(adapters: Path, name: str) -> Retriever | None:
    """The version of this name, or None."""
    return next((each for each in list_retrievers(adapters) if each.name == name), None)


def retriever_in_use(adapters: Path) -> str:
    """The name of the version that searches use; empty for none."""
    try:
        return (adapters / FOLDER / IN_USE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def use_retriever(adapters: Path, name: str | None, spec: EmbedderSpec | None = None) -> None:
    """Search with this version, or with None with the embedder as it is.

    ``spec`` is the embedder's: the version is loaded once, to see that it fits. Raises UsageError for an unknown name
    and ModelError for a version that does not fit.
    """
    if name is None:
        (adapters / FOLDER / IN_USE).unlink(missing_ok=True)
        return
    found = find_retriever(adapters, name)
    if found is None:
        raise UsageError(f"no retriever {name!r} here", "see `simulee adapters list`")
    if spec is not None:
        load_version(found.folder, spec)
    write_atomically(adapters / FOLDER / IN_USE, name)


def load_tuned_query(adapters: Path, spec: EmbedderSpec) -> TunedQuery | None:
    """The version in use, for the embedder that embedded the passages; None where none is in use.

    Raises ModelError for one that cannot be read or was trained for another embedder.
    """
    name = retriever_in_use(adapters)
    if Path(name).name != name:
        raise ModelError(f"{adapters / FOLDER / IN_USE} names no retriever: {name!r}", HINT)
    return load_version(adapters / FOLDER / name, spec) if name else None


def load_version(folder: Path, spec: EmbedderSpec) -> TunedQuery:
    """A version from its folder. Raises ModelError as ``load_tuned_query`` does."""
    if not (folder / ENCODER).is_dir():
        return load_query_head(folder, spec)
    from core.models.load_embedder import load_embedder

    card = _read(folder)
    if card is None:
        raise ModelError(f"the query encoder {folder} has no readable {CARD}", HINT)
    check_embedder("the query encoder", card.card["embedder"], spec)
    embedder = load_embedder(str(folder / ENCODER))
    if embedder.spec.dimension != spec.dimension:
        raise ModelError(f"the query encoder gives {embedder.spec.dimension} numbers, not {spec.dimension}", HINT)
    return QueryEncoder(embedder)


def _read(folder: Path) -> Retriever | None:
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        return Retriever(
            folder.name, folder, str(card["kind"]), str(card["embedder"]["model"]), str(card["hash"]),
            str(card["created_at"]), card,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
