"""Answers on the wire that take too long: refused as such, or told in the stream that has begun."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core.twin.protocol import Begun, ChatRequest
from core.twin.serving import stream
from core.twin.serving.channel import Event, Piece
from core.twin.serving.chat import ChatForm
from core.twin.serving.guard import Guard, Pace

MESSAGES = [{"role": "user", "content": "Who is there?"}]
TOKEN = {"Authorization": "Bearer t"}


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is waited for is too late."""
    monkeypatch.setattr(stream, "READ_WITHIN", 0.0)


def served(events: Callable[[], AsyncIterator[Event]], streams: bool, guard: Guard | None = None) -> TestServer:
    """A server whose every answer is these events."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = ChatRequest.model_validate({"messages": MESSAGES, "stream": streams})
        return await stream.respond(request, asked, events(), ChatForm(asked))

    app = web.Application(middlewares=[(guard or Guard("t", Pace(0))).middleware()])
    app.router.add_post("/", answer)
    return TestServer(app)


async def waiting() -> AsyncIterator[Event]:
    await asyncio.Event().wait()
    yield Begun(session_id=1)


async def begun() -> AsyncIterator[Event]:
    yield Begun(session_id=1)
    yield Piece(0, "So")
    await asyncio.Event().wait()


def test_a_client_that_never_reads_its_stream_is_let_go() -> None:
    asked: list[str] = []

    async def endless() -> AsyncIterator[Event]:
        asked.append("it came")
        yield Begun(session_id=1)
        while True:
            yield Piece(0, "so and so " * 100_000)

    async def ask() -> None:
        guard = Guard("t", Pace(0))
        async with served(endless, True, guard) as server:
            _, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Bearer t\r\nContent-Length: 0\r\n\r\n"
            )
            while not asked or guard._open:
                await asyncio.sleep(0.02)
            writer.close()

    asyncio.run(asyncio.wait_for(ask(), 30))


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_is_too_slow_is_a_timeout_and_no_defect(
    streams: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    async def ask() -> None:
        async with TestClient(served(waiting, streams)) as client:
            response = await client.post("/", headers=TOKEN)
            assert response.status == 504
            assert int(response.headers["Retry-After"]) > 0
            assert (await response.json())["error"]["code"] == "too_slow"

    asyncio.run(ask())
    assert "Traceback" not in capfd.readouterr().err


def test_a_stream_that_has_begun_tells_that_it_is_too_slow(capfd: pytest.CaptureFixture[str]) -> None:
    async def ask() -> None:
        async with TestClient(served(begun, True)) as client:
            response = await client.post("/", headers=TOKEN)
            assert response.status == 200
            lines = [line.removeprefix("data: ") for line in (await response.text()).splitlines() if line]
        assert json.loads(lines[-2])["error"]["code"] == "too_slow"
        assert lines[-1] == "[DONE]"

    asyncio.run(ask())
    assert "Traceback" not in capfd.readouterr().err
