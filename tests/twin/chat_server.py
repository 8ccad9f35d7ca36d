"""A chat server on loopback that streams what a script says, calls of functions among it, and goes wrong as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from tests.fault_server import FaultServer

Event = dict[str, Any] | bytes
"""A choice of one event, or raw bytes."""
Script = Callable[[dict[str, Any]], Sequence[Event] | tuple[int, dict[str, Any]]]
"""From a request's body to the events of its answer, or to a status with a body, whose ``location`` is a header too."""


def said(*pieces: str, finish: str | None = "stop") -> list[Event]:
    """An answer in pieces."""
    return [*({"index": 0, "delta": {"content": piece}} for piece in pieces), *ended(finish)]


def called(*calls: tuple[str, str], before: Sequence[str] = ()) -> list[Event]:
    """Functions with their arguments, as OpenAI streams them: a few letters at a time, one call after another."""
    events: list[Event] = [{"index": 0, "delta": {"content": piece}} for piece in before]
    for place, (name, arguments) in enumerate(calls):
        head = {"index": place, "id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": ""}}
        events.append({"index": 0, "delta": {"tool_calls": [head]}})
        events += [
            fragments({"index": place, "function": {"arguments": arguments[start : start + 5]}})
            for start in range(0, len(arguments), 5)
        ]
    return [*events, *ended("tool_calls")]


def fragments(*each: object) -> Event:
    """One event with fragments of calls as they are."""
    return {"index": 0, "delta": {"tool_calls": list(each)}}


def ended(finish: str | None) -> list[Event]:
    return [{"index": 0, "delta": {}, "finish_reason": finish}] if finish else []


class ChatServer(FaultServer):
    """``/v1/chat/completions`` with streaming; every request's body is kept."""

    def __init__(self, script: Script = lambda _: said("Good evening.")) -> None:
        super().__init__()
        self.script = script
        self.bodies: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/chat/completions", self._stream)

    @property
    def elsewhere(self) -> str:
        """An address that leads here too, and counts as another machine."""
        return f"http://0.0.0.0:{self.port}/v1"

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        answer = await asyncio.to_thread(self.script, body)
        if isinstance(answer, tuple):
            status, reason = answer
            return web.json_response(reason, status=status, headers={"Location": str(reason.get("location", ""))})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for event in answer:
                data = event if isinstance(event, bytes) else json.dumps({"id": "c", "choices": [event]}).encode()
                await response.write(b"data: " + data + b"\n\n")
                await asyncio.sleep(0)
            await response.write(b"data: [DONE]\n\n")
        except ConnectionError:
            # The client has gone, as it should in some tests.
            pass
        return response
