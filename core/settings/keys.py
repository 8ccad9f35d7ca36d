"""Keys of services, which the settings never hold: only the names of the variables of the environment that do."""

from __future__ import annotations

import re
from collections.abc import Mapping

HOW = "put the key into a variable of the environment, and its name into api_key_env"
KEY = re.compile(r"\b(sk-|sk_|hf_|gh[pousr]_|github_pat_|xox[abp]-|AKIA|AIza|glpat-)(?=[\w-]*[0-9])[\w-]{12,}")
"""How the keys of the commonest services begin."""
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}|[A-Za-z_]{1,64}|[A-Za-z_][A-Za-z0-9_]{0,18}")
"""As people name variables; a long word of small letters and digits is more likely what one holds."""


def names_variable(text: str, environment: Mapping[str, str]) -> bool:
    """Whether this is the name of a variable, so that it may be told, rather than what one should hold."""
    return text in environment or (_NAME.fullmatch(text) is not None and not KEY.search(text))
