"""Every role put to the test: models loaded, one tiny real question asked, what hub models lack fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.calls.caller import Caller, open_caller
from core.calls.structured import read_json
from core.errors import ModelError, SimuleeError
from core.models.generation import Ask, CallFailed, Said, Told
from core.models.hub import fetch
from core.models.packaged import describe, resolve_embedder, resolve_persona
from core.models.roles import ENGINES, embedder_of, makes_calls
from core.settings import RoleSettings, Settings
from core.workspace import Workspace

CHOICES = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Trial:
    """How a role did when it was asked. ``schema`` and ``chances`` are None where it was not asked for them."""

    role: str
    engine: str
    model: str
    ok: bool
    detail: str
    seconds: float = 0.0
    """Of one answer, the model loaded."""
    schema: bool | None = None
    """Whether it answers in the form of a JSON schema."""
    chances: bool | None = None
    """Whether it tells how likely each of a few answers is."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: Literal["yes", "no"]


def try_roles(workspace: Workspace) -> Iterator[Trial]:
    """Each role in turn. What fails is told in its trial, and does not keep the others from theirs."""
    for role in ENGINES:
        settings: RoleSettings = getattr(workspace.settings.models, role)
        try:
            if role == "embedder":
                yield _embedded(workspace.settings)
            elif makes_calls(role, settings) or role == "persona":
                yield asyncio.run(_asked(workspace, role, settings))
            else:
                yield Trial(role, settings.engine, settings.model, True, "needs no model")
        except SimuleeError as error:
            yield Trial(role, settings.engine, settings.model, False, f"{error.message}: {error.hint}")


def pull_models(settings: Settings) -> Iterator[Trial]:
    """Fetch what the roles name and this machine lacks. Raises ModelError at the first that cannot be had."""
    packaged = {name for model in describe() if model.location for name in (model.name, model.hub)}
    for role in ENGINES:
        chosen: RoleSettings = getattr(settings.models, role)
        yield Trial(role, chosen.engine, chosen.model, True, _pulled(role, chosen, chosen.model in packaged))


def _pulled(role: str, chosen: RoleSettings, packaged: bool) -> str:
    if chosen.engine == "endpoint":
        return "on its server"
    if not chosen.model:
        return "needs no model"
    if packaged:
        return "packaged, nothing to fetch"
    if role == "embedder":
        where = resolve_embedder(chosen.model)
    else:
        where = resolve_persona(chosen.model, "llama.cpp" if chosen.engine == "llama.cpp" else "transformers")
    if isinstance(where, Path):
        return "on this disk"
    if chosen.engine == "llama.cpp":
        raise ModelError(
            f"the {role} runs on llama.cpp, which needs a GGUF file, and {chosen.model} is none",
            f"fetch a GGUF yourself and set [models.{role}] model to its path",
        )
    if role == "embedder":
        return f"fetched to {fetch(where)}"
    from core.models.chat_tokenizer import model_folder

    return f"fetched to {model_folder(where)}"


def _embedded(settings: Settings) -> Trial:
    role = settings.models.embedder
    embedder = embedder_of(settings)
    began = time.monotonic()
    vectors = embedder.embed([_words("trial_choice.j2", None)])
    seconds = time.monotonic() - began
    return Trial("embedder", role.engine, role.model, True, f"{vectors.shape[1]} dimensions", round(seconds, 3))


async def _asked(workspace: Workspace, role: str, settings: RoleSettings) -> Trial:
    prompts = workspace.root / "prompts"
    # A seed of its own each time: a cached answer would be no test.
    seed = int(time.time()) % 2**31
    choice = Ask((Said("user", _words("trial_choice.j2", prompts)),), 8, seed=seed, choices=CHOICES)
    schema = Ask((Said("user", _words("trial_schema.j2", prompts)),), 40, _Answer.model_json_schema(), seed=seed)
    caller = open_caller(workspace, role, attempts=2)
    try:
        # The first answer comes late: a server loads its model, a local one starts.
        held = await _held_to(caller, schema)
        began = time.monotonic()
        told = await caller.ask(choice, lambda told: told, purpose="test", about=())
        seconds = time.monotonic() - began
    finally:
        await caller.close()
    said = "answers" + ("" if held else ", but not in the form of a schema")
    said += "" if told.chances else "; tells no chances"
    return Trial(role, settings.engine, settings.model, True, said, round(seconds, 3), held, told.chances is not None)


async def _held_to(caller: Caller, ask: Ask) -> bool:
    def accept(told: Told) -> str:
        return read_json(told, _Answer).answer

    try:
        await caller.ask(ask, accept, purpose="test", about=())
    except CallFailed as failure:
        if failure.reason in ("not json", "wrong shape", "length", "parameter refused"):
            return False
        raise
    return True


def _words(name: str, overrides: Path | None) -> str:
    if overrides is not None and (overrides / name).is_file():
        return (overrides / name).read_text("utf-8").strip()
    return resources.files("core.prompts").joinpath("templates", name).read_text("utf-8").strip()
