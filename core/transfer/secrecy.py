"""``persona.toml`` names the variables that hold keys and never a key: looked at again before it leaves the machine."""

from __future__ import annotations

import os

from core.errors import TransferError
from core.settings import Settings
from core.settings.keys import HOW, KEY, names_variable

SHORTEST_SECRET = 8


def refuse_secrets(text: str, settings: Settings) -> None:
    """Raises TransferError, without repeating it, for anything in the settings that looks like a key or holds one."""
    named = {f"[models.{role}]": getattr(settings.models, role).api_key_env for role, _ in settings.models}
    named["[training.hosted]"] = settings.training.hosted.key_variable
    for section, name in named.items():
        if not name:
            continue
        if not names_variable(name, os.environ):
            raise TransferError(f"persona.toml: {section} api_key_env is not the name of a variable", HOW)
        secret = os.environ.get(name, "")
        if len(secret) >= SHORTEST_SECRET and secret in text:
            raise TransferError(f"persona.toml holds the key that the variable {name} holds", HOW)
    for number, line in enumerate(text.splitlines(), start=1):
        if KEY.search(line):
            raise TransferError(f"persona.toml, line {number}, holds what looks like a key", HOW)
