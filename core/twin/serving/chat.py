"""``/v1/chat/completions``: the whole twin, with its memories, its guards and its store."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.twin.protocol import EXTENSION, ChatRequest
from core.twin.serving.answering import ServedTwin, Spoken
from core.twin.serving.heard import heard
from core.twin.serving.refusals import bad_request, parsed
from core.twin.serving.stream import body_of, identity_of, respond
from core.twin.serving.work import Work


class ChatForm:
    """OpenAI's form of a chat completion."""

    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def __init__(self, asked: ChatRequest) -> None:
        self.identity = identity_of(asked, "chatcmpl")

    def opening(self, choice: int) -> dict[str, Any]:
        return {"index": choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}

    def piece(self, choice: int, text: str) -> dict[str, Any]:
        return {"index": choice, "delta": {"content": text}, "finish_reason": None}

    def last(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        return {"index": choice, "delta": {}, "finish_reason": spoken.finish}

    def whole(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        message = {"role": "assistant", "content": spoken.text}
        # Each choice is an answer of its own in the store.
        more = {EXTENSION: {"message_id": spoken.extension.message_id}} if spoken.extension else {}
        return {"index": choice, "message": message, "finish_reason": spoken.finish, "logprobs": None, **more}


async def complete_chat(request: web.Request, twin: ServedTwin, work: Work) -> web.StreamResponse:
    """Answer one request. Raises Refusal, SimuleeError."""
    asked = parsed(ChatRequest, await body_of(request))
    if refused := asked.refused():
        raise bad_request(refused)
    understood = heard(asked)
    session = twin.session_of(asked, understood)
    prepare = lambda: twin.prepare(asked, understood)  # noqa: E731
    async with work.events(prepare, asked.n, asked.stream, session) as events:
        return await respond(request, asked, events, ChatForm(asked))
