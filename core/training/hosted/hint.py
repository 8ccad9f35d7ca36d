"""The lines of ``persona.toml`` that let a role speak through a fine-tuned model at its host."""

from __future__ import annotations

import tomlkit

from core.settings import HostedSettings


def persona_lines(settings: HostedSettings, base: str) -> str:
    """A ``[models.persona]`` table; ``settings`` name the fine-tuned model, and ``base`` the one here whose tokenizer
    counts for it. It is asked as it was trained, by messages. Safe for any name that a host gives."""
    table = {
        "engine": "endpoint", "api": "chat", "model": settings.model, "base": base, "base_url": settings.address,
    }  # fmt: skip
    if settings.key_variable:
        table["api_key_env"] = settings.key_variable
    return tomlkit.dumps({"models": {"persona": table}}).strip()
