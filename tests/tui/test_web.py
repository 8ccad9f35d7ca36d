"""``simulee web``: the real server and the real workbench, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from core.workspace import Workspace


@pytest.fixture
def served(workspace: Workspace) -> Iterator[str]:
    """The address that a running server printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "web", "--port", "0", "-w", str(workspace.root), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def bare(url: str) -> str:
    return url.partition("?")[0]


def ask(work: Any) -> None:
    """Do ``await work(session)``; cookies of an address are kept."""

    async def run() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            await work(session)

    asyncio.run(run())


def test_the_page_opens_with_the_key_and_shows_the_workbench(served: str, workspace: Workspace) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with session.get(served) as answer:
            page = await answer.text()
            assert (answer.status, "textual.js" in page) == (200, True)
            assert "ws://127.0.0.1" in page
            assert "font" not in answer.headers["Content-Security-Policy"]
        async with session.ws_connect(bare(served) + "ws?width=80&height=24", origin=bare(served)[:-1]) as browser:
            painted = b""
            while b"Ada Marlow" not in painted:
                message = await asyncio.wait_for(browser.receive(), 30)
                assert message.type is aiohttp.WSMsgType.BINARY, message
                painted += message.data
            assert b"Overview" in painted

    ask(work)


def test_without_the_key_there_is_only_a_form(served: str) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with session.get(bare(served)) as answer:
            assert (answer.status, "needs the key" in await answer.text()) == (200, True)
        async with session.get(bare(served) + "?key=wrong") as answer:
            assert "needs the key" in await answer.text()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(bare(served) + "ws")

    ask(work)


def test_other_pages_and_other_names_are_refused(served: str) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with session.get(served) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(bare(served) + "ws", origin="http://evil.example")
        async with session.get(served, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403

    ask(work)


def test_it_listens_on_the_loopback_address_only(served: str) -> None:
    port = int(bare(served).rstrip("/").rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback one")
        own = route.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no address but the loopback one")
    with pytest.raises(OSError, match=r"refused|unreachable"):
        socket.create_connection((own, port), timeout=5)


def test_a_port_that_is_taken_is_one_clear_line(workspace: Workspace, simulee: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = simulee("web", "--port", taken.getsockname()[1], "-w", workspace.root)
    assert told.returncode == 2
    assert "cannot be had" in told.stderr


def test_a_folder_that_is_no_workspace_is_told_at_once(tmp_path: Any, simulee: Any) -> None:
    told = simulee("web", "-w", tmp_path)
    assert told.returncode == 1
    assert "not a workspace" in told.stderr
