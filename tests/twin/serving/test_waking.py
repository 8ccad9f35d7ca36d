"""Several faces wake one twin, and one that is on its way out is waited for and started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from core.runs import control
from core.twin.client import Question, TwinClient, running_server
from core.workspace import Workspace
from tests.twin.chat_server import ChatServer
from tests.twin.serving.conftest import end, start
from tests.twin.test_endpoint_budget import behind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def answered(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace whose persona is a server."""
    with ChatServer() as server:
        yield behind(workspace, server.url)
        if (run := running_server(workspace)) is not None:
            end(workspace, run)


async def ask(client: TwinClient) -> str:
    events: list[Any] = [event async for event in client.ask(Question("Who is there?", memories=False))]
    return "".join(event for event in events if isinstance(event, str))


def ask_at_once(workspace: Workspace, *clients: TwinClient) -> list[str]:
    async def work() -> list[str]:
        try:
            return await asyncio.gather(*(ask(client) for client in clients))
        finally:
            for client in clients:
                await client.close()

    return asyncio.run(work())


def test_faces_that_ask_at_once_wake_one_twin(answered: Workspace) -> None:
    clients = [TwinClient(answered.root) for _ in range(3)]
    assert ask_at_once(answered, *clients) == ["Good evening."] * 3


def test_a_twin_that_is_stopping_is_waited_for_and_started_anew(answered: Workspace) -> None:
    first, _ = start(answered)
    control.cancel(answered, first.id)
    while (first.folder / "token").exists():
        pass
    assert ask_at_once(answered, TwinClient(answered.root)) == ["Good evening."]
    run = running_server(answered)
    assert run is not None
    assert run.id != first.id
