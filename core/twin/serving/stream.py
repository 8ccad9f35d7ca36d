"""Answers on the wire: server-sent events or one whole response, for both completion endpoints."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import traceback
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiohttp import web

from core.errors import SimuleeError
from core.twin.protocol import EXTENSION, Begun, Speech
from core.twin.serving.answering import Spoken
from core.twin.serving.channel import Event, Piece, Whole
from core.twin.serving.refusals import Refusal, of_defect, of_error, stopping, too_slow

BODY_WITHIN = 30.0
"""Seconds for a client to send its whole request."""
READ_WITHIN = 600.0
"""Seconds until a client has read a whole answer, its waiting included; one that stops reading is let go."""


class Form(Protocol):
    """How one endpoint writes what happens."""

    identity: dict[str, Any]
    """``id``, ``created``, ``model``."""
    kind: str
    chunk_kind: str

    @abstractmethod
    def opening(self, choice: int) -> dict[str, Any] | None:
        """A choice's first piece, before any word; None where it has none."""

    @abstractmethod
    def piece(self, choice: int, text: str) -> dict[str, Any]:
        """A choice's next words."""

    @abstractmethod
    def last(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        """A choice's end in a stream."""

    @abstractmethod
    def whole(self, choice: int, spoken: Spoken) -> dict[str, Any]:
        """A choice in a whole response."""


def identity_of(asked: Speech, prefix: str) -> dict[str, Any]:
    """What every part of one response says of itself."""
    return {"id": f"{prefix}-{secrets.token_hex(12)}", "created": int(time.time()), "model": asked.model}


async def body_of(request: web.Request) -> bytes:
    """The whole body. Raises Refusal for one that does not come in time."""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except TimeoutError:
        raise Refusal(408, f"the request did not come within {BODY_WITHIN:.0f} s", "too_late") from None


async def respond(request: web.Request, asked: Speech, events: AsyncIterator[Event], form: Form) -> web.StreamResponse:
    """The response to a request, from what happens to it. Raises what went wrong before anything was sent."""
    until = asyncio.get_running_loop().time() + READ_WITHIN
    if asked.stream:
        return await _streamed(request, asked, events, form, until)
    async with _in_time(until):
        return await _gathered(asked, events, form)


@asynccontextmanager
async def _in_time(until: float) -> AsyncIterator[None]:
    """Raises Refusal once the loop's clock has come so far."""
    limit = asyncio.timeout_at(until)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise too_slow(READ_WITHIN) from None


async def _streamed(
    request: web.Request, asked: Speech, events: AsyncIterator[Event], form: Form, until: float
) -> web.StreamResponse:
    async with _in_time(until):
        event = await anext(events, None)  # What refuses the question still gets a status of its own.
    if event is None:
        raise stopping()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    head = {**form.identity, "object": form.chunk_kind}

    async def send(value: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps(value)}\n\n".encode())

    opened = -1
    ended: list[Spoken] = []
    told: dict[str, Any] = {}
    try:
        async with _in_time(until):
            while event is not None:
                if isinstance(event, Begun):
                    told = {EXTENSION: event.model_dump()}
                choice = 0 if isinstance(event, Begun) else event.choice
                if choice != opened:
                    opened = choice
                    if opening := form.opening(choice):
                        await send({**head, "choices": [opening], **told})
                if isinstance(event, Piece):
                    await send({**head, "choices": [form.piece(choice, event.text)]})
                elif isinstance(event, Whole):
                    ended.append(event.spoken)
                    extension = event.spoken.extension
                    more = {EXTENSION: extension.model_dump()} if extension else {}
                    await send({**head, "choices": [form.last(choice, event.spoken)], **more})
                event = await anext(events, None)
            if asked.stream_options.include_usage:
                await send({**head, "choices": [], "usage": usage_of(ended)})
    except ConnectionError:
        raise
    except Refusal as refusal:  # The status is sent already: the stream tells what broke.
        await send(refusal.body())
    except Exception as error:
        if not isinstance(error, SimuleeError):
            traceback.print_exception(error)
        await send((of_error(error) if isinstance(error, SimuleeError) else of_defect(error)).body())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _gathered(asked: Speech, events: AsyncIterator[Event], form: Form) -> web.StreamResponse:
    done = [event async for event in events if isinstance(event, Whole)]
    if len(done) < asked.n:
        raise stopping()
    extension = done[-1].spoken.extension
    more = {EXTENSION: extension.model_dump()} if extension else {}
    return web.json_response(
        {
            **form.identity,
            "object": form.kind,
            "choices": [form.whole(each.choice, each.spoken) for each in done],
            "usage": usage_of([each.spoken for each in done]),
            **more,
        }
    )


def usage_of(spoken: list[Spoken]) -> dict[str, int]:
    """Tokens of the one prompt, and of all answers to it."""
    prompt = spoken[0].tokens[0] if spoken else 0
    answers = sum(each.tokens[1] for each in spoken)
    return {"prompt_tokens": prompt, "completion_tokens": answers, "total_tokens": prompt + answers}
