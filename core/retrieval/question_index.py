"""The index over the questions that are kept: made, kept in step, searched; the same as that of passages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.models.embedder import Embedder
from core.store import questions as store
from core.store.vector_index import QUESTIONS, IndexRow, VectorIndex
from core.workspace import Workspace

BATCH = 64


def open_question_index(workspace: Workspace, embedder: Embedder) -> VectorIndex:
    """The index of the questions for an embedder; one that is missing is made from the stored vectors."""
    spec, database = embedder.spec, workspace.database
    index = VectorIndex(database.connection, spec.model, spec.revision, spec.dimension, QUESTIONS)
    if index.is_missing():
        with database.write():
            index.rebuild(store.question_metadata(database))
    return index


def embed_questions(
    workspace: Workspace,
    embedder: Embedder,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    stop_point: Callable[[], None] = lambda: None,
) -> int:
    """Embed every kept question that has no vector of this model, and take out of the index what is gone.

    One transaction per batch. Returns how many were embedded.
    """
    database, spec = workspace.database, embedder.spec
    missing = store.questions_without_vector(database, spec.model, spec.revision)
    index = open_question_index(workspace, embedder)
    for start in range(0, len(missing), BATCH):
        stop_point()
        batch = missing[start : start + BATCH]
        vectors = np.asarray(embedder.embed([text for _, text, _, _ in batch]), dtype=np.float32)
        with database.write():
            # An import or a run beside this one may have removed some of them meanwhile.
            there = store.kept_questions(database, [row[0] for row in batch])
            index.add(
                IndexRow(question_id, vector, last_day, conversation)
                for (question_id, _, last_day, conversation), vector in zip(batch, vectors, strict=True)
                if question_id in there
            )
        progress(start + len(batch), len(missing))
    with database.write():
        index.prune()
    return len(missing)


def passages_by_question(
    workspace: Workspace,
    embedder: Embedder,
    vector: NDArray[np.float32],
    most: int,
    *,
    before: int | None,
    include_undated: bool,
    not_conversation: int,
) -> list[tuple[int, float]]:
    """(chunk id, cosine of its nearest question) of the ``most`` nearest questions, nearest first, then by id.

    A passage that several of them lead to stands once: there may be fewer passages than ``most``, which spares a scan
    whose cost grows with what it returns. Empty, at the cost of one lookup, where no question is embedded.
    """
    database, spec = workspace.database, embedder.spec
    if not store.has_question_vectors(database, spec.model, spec.revision):
        return []
    hits = open_question_index(workspace, embedder).search(
        vector,
        most,
        before=before,
        include_undated=include_undated,
        not_conversation=not_conversation,
    )
    owners = store.chunks_of_questions(database, [hit.id for hit in hits])
    best: dict[int, float] = {}
    for hit in hits:
        if hit.id in owners:
            best.setdefault(owners[hit.id], hit.score)
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))
