"""From a role in ``persona.toml`` to the engine that plays it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelError
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.models.packaged import PackagedModel, describe
from core.settings import RoleSettings, Settings

ENGINES: dict[str, tuple[str, ...]] = {
    "embedder": ("sentence-transformers",),
    "writer": ("extractive",),
    "judge": ("transformers",),
    "persona": ("llama.cpp", "transformers"),
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
        ok, detail = True, _needed(chosen.model, packaged.get(chosen.model))
        try:
            check_role(role, chosen)
        except ModelError as error:
            ok, detail = False, f"{error.message}: {error.hint}"
        states.append(RoleState(role, chosen.engine, chosen.model, ok, detail))
    return states


def _needed(name: str, model: PackagedModel | None) -> str:
    if model is not None:
        return f"packaged ({model.package})" if model.location else f"from the model hub: {model.hub}"
    if not name:
        return "needs no model"
    return "on this disk" if Path(name).exists() else "from the model hub, at its first use"


def embedder_of(settings: Settings) -> Embedder:
    """Load the embedder role. Raises ModelError."""
    role = settings.models.embedder
    check_role("embedder", role)
    return load_embedder(role.model)
