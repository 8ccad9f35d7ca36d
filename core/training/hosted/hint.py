"""The lines of ``persona.toml`` that let a role speak through a fine-tuned model at its host."""

from __future__ import annotations

import tomlkit

from core.settings import HostedSettings


def persona_lines(settings: HostedSettings) -> str:
    """A ``[models.persona]`` table; ``settings`` name the fine-tuned model. Safe for any name that a host gives."""
    table = {"engine": "endpoint", "model": settings.model, "base_url": settings.address}
    if settings.key_variable:
        table["api_key_env"] = settings.key_variable
    return tomlkit.dumps({"models": {"persona": table}}).strip()
