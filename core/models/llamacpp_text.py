"""llama.cpp as a text engine: its own server in a process of its own, asked through its OpenAI-compatible interface.

The server starts at the first ask, so that a stage whose answers are all cached loads no model, and again when it has
died. Engines of one process that run the same model share it: two servers would hold the model twice, and their threads
would wait for one another. Heavy: import it only where calls are made.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import ClassVar

from core.models.endpoint import EndpointEngine
from core.models.generation import Ask, Told
from core.models.llamacpp import LlamaServer
from core.models.packaged import revision

CONTEXT = 4096
"""Tokens of prompt and answer together, for each slot."""


class _Shared:
    """One server for all engines of this process with the same model, from the first ask until the last one closes."""

    _known: ClassVar[dict[tuple[Path, int, int], _Shared]] = {}

    def __init__(self, key: tuple[Path, int, int]) -> None:
        self._key = key
        self._users: set[int] = set()
        self._server: LlamaServer | None = None
        self._starting = threading.Lock()

    @classmethod
    def of(cls, gguf: Path, context: int, slots: int) -> _Shared:
        key = (gguf.absolute(), context, slots)
        return cls._known.setdefault(key, cls(key))

    def running(self, user: int) -> LlamaServer:
        """The server, started where it is not alive. Blocks while it loads. Raises ModelError."""
        gguf, context, slots = self._key
        with self._starting:
            if self._server is None or not self._server.is_alive():
                if self._server is not None:
                    self._server.stop()
                self._server = LlamaServer.start(gguf, context=context, slots=slots)
            self._users.add(user)
            return self._server

    def leave(self, user: int) -> None:
        with self._starting:
            self._users.discard(user)
            if not self._users and self._server is not None:
                self._server.stop()
                self._server = None


class LlamaCppEngine:
    """A GGUF model on this machine; every slot has ``context`` tokens."""

    def __init__(self, name: str, gguf: Path, *, slots: int = 4, context: int = CONTEXT) -> None:
        self._name = name
        self._gguf = gguf
        self._slots = slots
        self._context = context
        self._identity = f"llama.cpp:{name}:{revision(gguf)}"
        self._shared = _Shared.of(gguf, context, slots)
        self._server: LlamaServer | None = None
        self._endpoint: EndpointEngine | None = None
        self._starting = asyncio.Lock()

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def host(self) -> str:
        return ""

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def holds_schemas(self) -> bool:
        return True

    @property
    def refused_parameters(self) -> frozenset[str]:
        """Parameters that the server has refused so far."""
        return self._endpoint.refused_parameters if self._endpoint else frozenset()

    async def ask(self, ask: Ask, within: float) -> Told:
        return await (await self._running()).ask(ask, within)

    async def close(self) -> None:
        await self._hang_up()
        await asyncio.to_thread(self._shared.leave, id(self))

    async def _hang_up(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()
        self._endpoint = self._server = None

    async def _running(self) -> EndpointEngine:
        """The server's endpoint. Raises ModelError when llama.cpp cannot load the model."""
        async with self._starting:
            if self._endpoint is None or self._server is None or not self._server.is_alive():
                await self._hang_up()
                self._server = await asyncio.to_thread(self._shared.running, id(self))
                self._endpoint = EndpointEngine(
                    f"{self._server.url}/v1",
                    self._name,
                    self._server.api_key,
                    slots=self._slots,
                    identity=self._identity,
                    ours=True,
                )
            return self._endpoint
