"""From a role in ``persona.toml`` to the engine that plays it."""

from __future__ import annotations

from core.errors import ModelError
from core.models.embedder import Embedder, load_embedder
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


def embedder_of(settings: Settings) -> Embedder:
    """Load the embedder role. Raises ModelError."""
    role = settings.models.embedder
    check_role("embedder", role)
    return load_embedder(role.model)
