"""``persona.toml`` names the variables that hold keys and never a key: looked at again before it leaves the machine."""

from __future__ import annotations

import os
import re

from core.errors import TransferError
from core.settings import Settings

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}|(?![a-z0-9_]*[0-9])[A-Za-z_][A-Za-z0-9_]{0,63}|[A-Za-z_][A-Za-z0-9_]{0,18}")
"""As people name variables; a long word of small letters and digits is more likely what one holds."""
_KEY = re.compile(r"\b(sk-|sk_|hf_|gh[pousr]_|github_pat_|xox[abp]-|AKIA|AIza|glpat-)(?=[\w-]*[0-9])[\w-]{12,}")
"""How the keys of the commonest services begin."""
SHORTEST_SECRET = 8


def refuse_secrets(text: str, settings: Settings) -> None:
    """Raises TransferError, without repeating it, for anything in the settings that looks like a key or holds one."""
    hint = "put the key into a variable of the environment, and its name into api_key_env"
    named = {f"models.{role}": getattr(settings.models, role) for role in ("embedder", "writer", "judge", "persona")}
    for section, values in (*named.items(), ("training.hosted", settings.training.hosted)):
        name = values.api_key_env
        if not name:
            continue
        if not _NAME.fullmatch(name) and name not in os.environ:
            raise TransferError(f"persona.toml: [{section}] api_key_env is not the name of a variable", hint)
        secret = os.environ.get(name, "")
        if len(secret) >= SHORTEST_SECRET and secret in text:
            raise TransferError(f"persona.toml holds the key that the variable {name} holds", hint)
    for number, line in enumerate(text.splitlines(), start=1):
        if _KEY.search(line):
            raise TransferError(f"persona.toml, line {number}, holds what looks like a key", hint)
