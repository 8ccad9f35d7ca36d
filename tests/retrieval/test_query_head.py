"""A trained head turns the query and nothing else; one that does not fit is told, and none changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.errors import ModelError
from core.models.embedder import Embedder
from core.retrieval.retrievers import FOLDER, IN_USE, load_tuned_query, use_retriever
from core.retrieval.search import Query, Searcher
from core.workspace import Workspace
from tests.retrieval.put_retriever import put_head

Embedded = Callable[..., Workspace]
"""Imports notes and embeds."""

NOTES = {
    "2011-01-01 Lamp.md": "The lamp at the head went out in March and nobody relit it.",
    "2012-01-01 Tea.md": "Tea is for the ill, and coffee for whoever rows before breakfast.",
}
QUERY = Query("a drink in the morning", mode="vector")


def toward(embedder: Embedder, text: str, other: str) -> np.ndarray:
    """The matrix that reads the one text in a query as the other."""
    a, b = embedder.embed([text, other])
    return np.eye(len(a)) + np.outer(b - a, a)


def test_a_head_turns_what_a_query_finds(
    embedded: Embedded, searcher: Callable[..., Searcher], embedder: Embedder
) -> None:
    workspace = embedded(NOTES)
    assert searcher(workspace).search(QUERY)[0].passage.title == "Tea"
    put_head(workspace, embedder, toward(embedder, QUERY.text, "the lamp went out"))
    turned = searcher(workspace).search(QUERY)
    assert turned[0].passage.title == "Lamp"
    assert -1 <= turned[0].score <= 1 + 1e-6
    assert searcher(workspace, query_head=False).search(QUERY)[0].passage.title == "Tea"


def test_a_head_that_changes_nothing_finds_the_same(
    embedded: Embedded, searcher: Callable[..., Searcher], embedder: Embedder
) -> None:
    workspace = embedded(NOTES)
    before = searcher(workspace).search(QUERY)
    put_head(workspace, embedder, np.eye(embedder.spec.dimension) * 3)
    after = searcher(workspace).search(QUERY)
    assert [each.passage for each in after] == [each.passage for each in before]
    assert [each.score for each in after] == pytest.approx([each.score for each in before], abs=1e-5)


def test_a_head_that_was_reverted_turns_nothing(
    embedded: Embedded, searcher: Callable[..., Searcher], embedder: Embedder
) -> None:
    workspace = embedded(NOTES)
    put_head(workspace, embedder, toward(embedder, QUERY.text, "the lamp went out"))
    use_retriever(workspace.adapters, None)
    assert searcher(workspace).search(QUERY)[0].passage.title == "Tea"
    use_retriever(workspace.adapters, "put", embedder.spec)
    assert searcher(workspace).search(QUERY)[0].passage.title == "Lamp"


def test_a_head_that_is_gone_is_told_in_one_line(workspace: Workspace, embedder: Embedder) -> None:
    put_head(workspace, embedder, np.eye(embedder.spec.dimension)).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_tuned_query(workspace.adapters, embedder.spec)


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", ".."])
def test_what_is_in_use_cannot_point_out_of_the_workspace(workspace: Workspace, embedder: Embedder, name: str) -> None:
    put_head(workspace, embedder, np.eye(embedder.spec.dimension))
    (workspace.adapters / FOLDER / IN_USE).write_text(name, "utf-8")
    with pytest.raises(ModelError):
        load_tuned_query(workspace.adapters, embedder.spec)


def test_no_head_is_no_trouble(workspace: Workspace, embedder: Embedder) -> None:
    assert load_tuned_query(workspace.adapters, embedder.spec) is None


@pytest.mark.parametrize(
    ("metadata", "said"),
    [({"model": "another"}, "'another'"), ({"revision": "older"}, "'older'")],
)
def test_a_head_of_another_embedder_is_refused(
    workspace: Workspace, embedder: Embedder, metadata: dict[str, str], said: str
) -> None:
    put_head(workspace, embedder, np.eye(embedder.spec.dimension), **metadata)
    with pytest.raises(ModelError, match=said) as told:
        load_tuned_query(workspace.adapters, embedder.spec)
    assert "simulee adapters revert --retriever" in told.value.hint


@pytest.mark.parametrize("matrix", [np.eye(8), np.full((384, 384), np.nan), np.zeros((384, 1))])
def test_a_matrix_of_another_shape_or_not_finite_is_refused(
    workspace: Workspace, embedder: Embedder, matrix: np.ndarray
) -> None:
    put_head(workspace, embedder, matrix)
    with pytest.raises(ModelError, match="matrix"):
        load_tuned_query(workspace.adapters, embedder.spec)


@pytest.mark.parametrize("data", [b"", b"not safetensors at all", b"\xff" * 64])
def test_a_damaged_head_is_told_in_one_line(workspace: Workspace, embedder: Embedder, data: bytes) -> None:
    path = put_head(workspace, embedder, np.eye(embedder.spec.dimension))
    path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot be read"):
        load_tuned_query(workspace.adapters, embedder.spec)


def test_a_head_that_leaves_nothing_of_a_query_is_told(
    embedded: Embedded, searcher: Callable[..., Searcher], embedder: Embedder
) -> None:
    workspace = embedded(NOTES)
    put_head(workspace, embedder, np.zeros((embedder.spec.dimension,) * 2))
    with pytest.raises(ModelError, match="query head"):
        searcher(workspace).search(QUERY)


def test_with_another_head_recall_knows_that_it_would_find_other_passages(
    embedded: Embedded, searcher: Callable[..., Searcher], embedder: Embedder
) -> None:
    workspace = embedded(NOTES)
    prints = [searcher(workspace).fingerprint()]
    for scale in (1, 2):
        put_head(workspace, embedder, np.eye(embedder.spec.dimension) * scale)
        prints.append(searcher(workspace).fingerprint())
    assert len(set(prints)) == 3
