"""From a role in ``persona.toml`` to the engine that plays it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelError
from core.models.api_keys import key_from
from core.models.embedder import Embedder
from core.models.generation import TextEngine
from core.models.load_embedder import load_embedder
from core.models.packaged import PackagedModel, describe, resolve_persona
from core.settings import RoleSettings, Settings

ENGINES: dict[str, tuple[str, ...]] = {
    "embedder": ("sentence-transformers",),
    "writer": ("extractive", "llama.cpp", "transformers", "endpoint"),
    "judge": ("transformers", "llama.cpp", "endpoint"),
    "persona": ("llama.cpp", "transformers", "endpoint"),
}
"""The engines that each role has in this version."""


def check_role(role: str, settings: RoleSettings) -> None:
    """Raises ModelError when this version has no such engine for the role."""
    if settings.engine not in ENGINES[role]:
        raise ModelError(
            f"the {role} cannot run on the engine {settings.engine!r} in this version",
            f"set [models.{role}] engine to {' or '.join(ENGINES[role])}",
        )


@dataclass(frozen=True, slots=True)
class RoleState:
    """Which engine plays a role here, and what it needs."""

    role: str
    engine: str
    model: str
    ok: bool
    detail: str
    """Where the model comes from, or what to do when it is not ok."""


def role_states(settings: Settings) -> list[RoleState]:
    """Every role with its engine. Loads none of them."""
    packaged = {model.name: model for model in describe()}
    states = []
    for role in ENGINES:
        chosen: RoleSettings = getattr(settings.models, role)
        ok, detail = True, _needed(chosen, packaged.get(chosen.model))
        try:
            check_role(role, chosen)
        except ModelError as error:
            ok, detail = False, f"{error.message}: {error.hint}"
        states.append(RoleState(role, chosen.engine, chosen.model, ok, detail))
    return states


def embedder_of(settings: Settings) -> Embedder:
    """Load the embedder role. Raises ModelError."""
    role = settings.models.embedder
    check_role("embedder", role)
    return load_embedder(role.model)


def makes_calls(role: str, settings: RoleSettings) -> bool:
    """Whether a role is played by a text model that is asked; the extractive writer is none."""
    return role in ("writer", "judge") and settings.engine != "extractive"


def load_text_engine(role: str, settings: RoleSettings) -> TextEngine:
    """The engine that a role names, ready to be asked. Raises ModelError where it cannot be had.

    The judge's ``transformers`` engine is asked in words here; recall's likelihood judge reads the same model without.
    """
    check_role(role, settings)
    if settings.engine == "endpoint":
        from core.models.endpoint import EndpointEngine

        key = key_from(settings.api_key_env, os.environ)
        return EndpointEngine(settings.base_url, settings.model, key, slots=settings.slots)
    if settings.engine == "llama.cpp":
        gguf = resolve_persona(settings.model, "llama.cpp")
        if not isinstance(gguf, Path) or not gguf.is_file():
            raise ModelError(
                f"the {role} needs a GGUF file: {settings.model or 'none'} is not one on this machine",
                f"set [models.{role}] model to the path of a GGUF file, or to SmolLM2-135M-Instruct",
            )
        from core.models.llamacpp_text import LlamaCppEngine

        return LlamaCppEngine(settings.model, gguf, slots=settings.slots)
    if settings.engine == "transformers":
        from core.models.transformers_text import TransformersEngine

        return TransformersEngine(settings.model, slots=settings.slots)
    raise ModelError(
        f"the {role} on the engine {settings.engine!r} is no text model, and cannot be asked",
        f"set [models.{role}] engine to llama.cpp, transformers or endpoint",
    )


def _needed(chosen: RoleSettings, model: PackagedModel | None) -> str:
    if chosen.engine == "endpoint":
        return f"asks {chosen.base_url}"
    if model is not None:
        return f"packaged ({model.package})" if model.location else f"from the model hub: {model.hub}"
    if not chosen.model:
        return "needs no model"
    return "on this disk" if Path(chosen.model).exists() else "from the model hub, at its first use"
