"""Asking a role's model through a real caller, as the tests of the calls do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.calls.caller import Caller, open_caller
from core.calls.patience import Waits
from core.calls.structured import read_json
from core.models.generation import Ask, CallFailed, Said, Told
from core.workspace import SETTINGS_FILE, Workspace
from tests.fault_server import FaultServer

TINY = Waits(first=0.001, most=0.004, longest_pause=5.0, cooldown=0.05)


class Memory(BaseModel):
    """What the tests ask for."""

    model_config = ConfigDict(extra="forbid")

    memory: str


SCHEMA = Memory.model_json_schema()


def use_server(workspace: Workspace, server: FaultServer | str, role: str = "writer", **settings: Any) -> None:
    """Let a role ask a server, with these settings of its own."""
    url = server if isinstance(server, str) else server.url
    price = settings.pop("price", None)
    lines = [f"[models.{role}]", 'engine = "endpoint"', 'model = "m"', f'base_url = "{url}"']
    lines += [f"{key} = {_toml(value)}" for key, value in settings.items()]
    if price is not None:
        lines += [f"[models.{role}.price]", *(f"{key} = {value}" for key, value in price.items())]
    path = workspace.root / SETTINGS_FILE
    kept = path.read_text("utf-8").partition("[models")[0]
    path.write_text(kept.rstrip() + "\n" + "\n".join(lines) + "\n", "utf-8")
    workspace.forget_settings()


def question(words: str, **fields: Any) -> Ask:
    """An ask whose good answer is a ``Memory`` that holds the words."""
    return Ask(
        (Said("system", "You retell."), Said("user", words)), fields.pop("max_tokens", 50),
        fields.pop("schema", SCHEMA), **fields,
    )  # fmt: skip


def anchored(words: str) -> Callable[[Told], str]:
    """Accepts only a ``Memory`` that holds these words."""

    def accept(told: Told) -> str:
        memory = read_json(told, Memory).memory
        if words not in memory:
            raise CallFailed("not anchored", "the answer has nothing of the passage", retryable=True)
        return memory

    return accept


async def ask_each(caller: Caller, prompts: Iterable[str], about: Sequence[str] = ()) -> list[str | CallFailed]:
    """The answer to every prompt, all asked at once; a failure stands in its place."""

    async def one(prompt: str) -> str | CallFailed:
        try:
            return await caller.ask(question(prompt), anchored(prompt), purpose="retell", about=about)
        except CallFailed as failure:
            return failure

    return await asyncio.gather(*(one(prompt) for prompt in prompts))


def ask_all(workspace: Workspace, prompts: Iterable[str], run: str = "", waits: Waits = TINY) -> list[str | CallFailed]:
    """The same by the workspace's writer, from opening its caller to closing it."""

    async def work() -> list[str | CallFailed]:
        async with open_caller(workspace, "writer", run, waits=waits) as caller:
            return await ask_each(caller, prompts)

    return asyncio.run(work())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
