"""The key of a server, from the variable that the settings name. No error repeats a key, wherever it was written."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import ModelError
from core.settings.keys import HOW, names_variable


def key_from(variable: str, environment: Mapping[str, str]) -> str:
    """The key that a variable holds; empty when no variable is named. Raises ModelError when it holds none."""
    if not variable:
        return ""
    if not names_variable(variable, environment):
        raise ModelError("api_key_env is not the name of a variable", HOW)
    key = environment.get(variable, "").strip()
    if not key:
        raise ModelError(f"the variable {variable} holds no key", f"export {variable}=…, or set api_key_env")
    # Anything else breaks the header that it goes in, and what breaks there is quoted whole.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelError(
            f"what the variable {variable} holds is no key", "a key is one word, without spaces, line breaks or accents"
        )
    return key
