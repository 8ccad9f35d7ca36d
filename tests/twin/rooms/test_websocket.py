"""A co-host behind a websocket on loopback: JSON both ways, breaks, refusals, and addresses that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from core.errors import RunError, UsageError
from core.twin.rooms.link import Backoff
from core.twin.rooms.websocket import WebsocketLink, checked_url
from tests.twin.rooms.conftest import Sit, Sitting
from tests.twin.rooms.twin_server import TwinServer


class Chat:
    """A chat server with one room. It begins to listen when the link first asks for it."""

    def __init__(self, token: str = "", elsewhere: str = "") -> None:
        self.token = token
        self.elsewhere = elsewhere
        self.sockets: list[web.WebSocketResponse] = []
        self.said: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.elsewhere:
            raise web.HTTPFound(self.elsewhere)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.said.append(json.loads(message.data))
        return socket

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/chat", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield
        finally:
            await runner.cleanup()

    async def line(self, **values: object) -> None:
        await self.sockets[-1].send_str(json.dumps(values))


def link(port: int, **options: Any) -> WebsocketLink:
    return WebsocketLink(f"ws://127.0.0.1:{port}/chat", "Ada Marlow", backoff=Backoff(0.05, 0.1), **options)


def test_it_answers_in_json_and_goes_on_after_a_break(sit: Sit, twin: TwinServer, unused_port: int) -> None:
    chat = Chat("secret")

    async def scenario(room: Sitting) -> None:
        async with chat.listening(unused_port):
            await room.until("joined")
            socket = chat.sockets[0]
            for bad in ("", "{", "[]", "1", '{"text": 7}', '{"text": ""}', "[" * 20_000, '{"text": "\\ud800"}'):
                await socket.send_str(bad)
            await socket.send_bytes(b"\xff\x00")
            await chat.line(name="Joe: x\nAda", text="ada,\nwho \x1b[31mare you?", id=7)
            await room.until("said")
            own = chat.said[0]["id"]
            await chat.line(name="Joe", text="really?", reply_to=own, id="8")
            await room.until("said", 2)
            await socket.close()
            await room.until("joined", 2)
            await chat.line(name="Joe", text="ada, still there?", id=None)
            await room.until("said", 3)

    sit(link(unused_port, token="secret"), scenario)
    assert twin.questions == ["ada, who [31mare you?", "Joe: really?", "Joe: ada, still there?"]
    assert twin.asked[0]["speaker"] == "Joe x Ada", "a name cannot begin another line"
    assert [(each["name"], each["text"], each["reply_to"]) for each in chat.said] == [
        ("Ada Marlow", "Answer 1.", "7"), ("Ada Marlow", "Answer 2.", "8"), ("Ada Marlow", "Answer 3.", None),
    ]  # fmt: skip


def test_a_message_too_large_costs_the_connection_and_no_more(sit: Sit, unused_port: int) -> None:
    chat = Chat()

    async def scenario(room: Sitting) -> None:
        async with chat.listening(unused_port):
            await room.until("joined")
            await chat.line(name="joe", text="x" * 100_000)
            await room.until("joined", 2)

    sit(link(unused_port), scenario)


def test_a_wrong_token_and_another_address_are_not_tried_again(sit: Sit, unused_port: int) -> None:
    for chat, words in ((Chat("secret"), "status 401"), (Chat(elsewhere="http://127.0.0.1:9/chat"), "another address")):

        async def scenario(room: Sitting, chat: Chat = chat) -> None:
            async with chat.listening(unused_port):
                await asyncio.sleep(5)

        with pytest.raises(RunError, match=words):
            sit(link(unused_port, token="wrong"), scenario)


def test_addresses_that_are_none_are_refused() -> None:
    for url in ("http://x/", "ws://", "ws://a:b@host/", "wss://host:99999/", "ws://[::1", "nonsense"):
        with pytest.raises(UsageError):
            checked_url(url, False)
    with pytest.raises(UsageError, match="wss"):
        checked_url("ws://chat.example.org/", True)
    assert checked_url("ws://127.0.0.1:9/", True)
    assert checked_url("ws://chat.example.org/", False)
