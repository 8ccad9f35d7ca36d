"""A co-host in a room, with a twin that answers at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from core.settings import RoomSettings
from core.twin.client import TwinClient
from core.twin.rooms.asking import RoomTwin
from core.twin.rooms.cohost import CoHost
from core.twin.rooms.egress import Egress
from core.twin.rooms.link import Link
from core.twin.rooms.mute import Mute
from core.twin.rooms.topics import Topics
from core.workspace import Workspace
from tests.twin.rooms.twin_server import TwinServer, twin_served


@pytest.fixture
def twin(workspace: Workspace) -> Iterator[TwinServer]:
    with twin_served(workspace) as server:
        yield server


class Sitting:
    """What happened while a co-host was in a room."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.mute = Mute()
        self.leave = False

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [payload for each, payload in self.events if each == kind]

    async def until(self, kind: str, count: int = 1, seconds: float = 15.0) -> dict[str, Any]:
        """Wait for an event; returns the last of its kind."""
        async with asyncio.timeout(seconds):
            while len(self.of(kind)) < count:
                await asyncio.sleep(0.01)
        return self.of(kind)[-1]


Sit = Callable[..., Sitting]


@pytest.fixture
def sit(workspace: Workspace, twin: TwinServer) -> Sit:
    """Sit in a room while a scenario goes on: ``sit(link, scenario, per_minute=…)``; raises what the co-host raises."""

    def do(
        link: Link, scenario: Callable[[Sitting], Awaitable[None]], topics: Topics | None = None, **how: Any
    ) -> Sitting:
        settings = RoomSettings(**{"per_minute": 0, "min_gap": 0.0, **how})
        sitting = Sitting()

        async def all_of_it() -> None:
            client = TwinClient(workspace.root)
            host = CoHost(
                link, RoomTwin(client, "", True, 50), settings, ("Ada Marlow", "ada"),
                Egress(workspace, "join-1", link.host, "irc"), sitting.mute,
                lambda kind, payload: sitting.events.append((kind, payload)), topics=topics, draw=lambda: 0.5,
                line_gap=0.05,
            )  # fmt: skip
            staying = asyncio.create_task(host.stay(lambda: sitting.leave))
            going = asyncio.create_task(scenario(sitting))
            try:
                await asyncio.wait([staying, going], return_when=asyncio.FIRST_COMPLETED)
                if going.done():
                    going.result()
                sitting.leave = True
                await asyncio.wait_for(staying, 10)
            finally:
                for task in (staying, going):
                    task.cancel()
                await asyncio.gather(staying, going, return_exceptions=True)
                await client.close()
                if topics is not None:
                    await topics.close()
                sitting.events.append(("counts", dict(host.counts)))

        asyncio.run(all_of_it())
        return sitting

    return do


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
