"""``/v1/embeddings``: the workspace's own embedder, so that another program's vectors can be compared with its own."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from core.twin.protocol import EmbeddingRequest
from core.twin.serving.answering import ServedTwin
from core.twin.serving.refusals import bad_request, parsed
from core.twin.serving.stream import body_of
from core.twin.serving.work import Work

AT_ONCE = 16
"""Texts that hold up the twin's thread at once: between two such groups a waiting question is prepared."""


async def embed(request: web.Request, twin: ServedTwin, work: Work) -> web.Response:
    """Vectors for the texts of one request, in their order, of unit length. Raises Refusal, ModelError."""
    asked = parsed(EmbeddingRequest, await body_of(request))
    model = await work.on_twin(twin.embedder, asked.model)
    rows: list[NDArray[np.float32]] = []
    tokens = 0
    for start in range(0, len(asked.input), AT_ONCE):
        vectors, read = await work.on_twin(twin.embed, asked.input[start : start + AT_ONCE], start)
        if asked.dimensions not in (None, vectors.shape[1]):
            raise bad_request(f"dimensions: {model} has {vectors.shape[1]}, and its vectors are not cut")
        rows += list(vectors)
        tokens += read

    def written(row: NDArray[np.float32]) -> list[float] | str:
        if asked.encoding_format == "float":
            values: list[float] = row.tolist()
            return values
        return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")

    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": place, "embedding": written(row)} for place, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return web.json_response({"object": "list", "model": model, "data": data, "usage": usage})
