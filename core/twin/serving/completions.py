"""``/v1/completions``: a raw continuation by the persona's model. No memories and no store, but the guard always."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.twin.protocol import CompletionRequest
from core.twin.serving.answering import ServedTwin, Spoken
from core.twin.serving.refusals import bad_request, parsed
from core.twin.serving.stream import body_of, identity_of, respond
from core.twin.serving.work import Work


class CompletionForm:
    """OpenAI's older form of a completion."""

    kind = chunk_kind = "text_completion"

    def __init__(self, asked: CompletionRequest) -> None:
        self.identity = identity_of(asked, "cmpl")
        self._before = asked.prompt if asked.echo else ""

    def opening(self, choice: int) -> dict[str, Any] | None:
        return self.piece(choice, self._before) if self._before else None

    def piece(self, choice: int, text: str) -> dict[str, Any]:
        return {"index": choice, "text": text, "finish_reason": None, "logprobs": None}

    def last(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        return {"index": choice, "text": "", "finish_reason": spoken.finish, "logprobs": None}

    def whole(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        text = self._before + spoken.text
        return {"index": choice, "text": text, "finish_reason": spoken.finish, "logprobs": None}


async def complete_text(request: web.Request, twin: ServedTwin, work: Work) -> web.StreamResponse:
    """Continue one prompt. Raises Refusal, SimuleeError."""
    asked = parsed(CompletionRequest, await body_of(request))
    if refused := asked.refused():
        raise bad_request(refused)
    prepare = lambda: twin.prepare_completion(asked)  # noqa: E731
    async with work.events(prepare, asked.n, asked.stream, "") as events:
        return await respond(request, asked, events, CompletionForm(asked))
