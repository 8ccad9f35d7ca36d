"""How large a base is, and what of it lies on this machine: told without loading it. Imports no torch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.chat_tokenizer import ChatTokenizer
from core.models.packaged import SMOLLM2, SMOLLM2_HUB, describe, resolve_persona
from core.training.means import config_of

SMOLLM2_PARAMETERS = 134_515_008
PACKAGED = (SMOLLM2, SMOLLM2_HUB)


def parameters_of(base: str) -> int:
    """How many parameters a base has, by its weights' headers or its name; 0 where neither tells."""
    if base in PACKAGED:
        return SMOLLM2_PARAMETERS
    folder = _folder(base)
    if folder and (counted := parameters_in(folder)):
        return counted
    named = re.search(r"(\d+(?:\.\d+)?)\s*([MB])(?![a-z])", Path(base).name, re.IGNORECASE)
    return round(float(named[1]) * {"M": 1e6, "B": 1e9}[named[2].upper()]) if named else 0


def parameters_in(folder: Path) -> int:
    """How many parameters a folder's weights hold, by their headers; 0 where there are none."""
    return sum(map(_numbers_in, sorted(folder.glob("*.safetensors"))))


def config_here(base: str) -> dict[str, Any]:
    """A base's configuration, where it is on this machine."""
    folder = _folder(base)
    return config_of(folder) if folder else {}


def tokenizer_here(base: str) -> ChatTokenizer | None:
    """A base's tokenizer where it lies on this machine as a folder; None where it would have to be fetched or made."""
    folder = next((each.folder for each in describe() if each.name == SMOLLM2), None)
    if base not in PACKAGED:
        folder = _folder(base)
    try:
        return ChatTokenizer(folder) if folder else None
    except ModelError:
        return None


def _folder(base: str) -> Path | None:
    try:
        found = resolve_persona(base, "llama.cpp")
    except ModelError:
        return None
    return found if isinstance(found, Path) and found.is_dir() else None


def _numbers_in(weights: Path) -> int:
    """The parameters in one safetensors file, from its header."""
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (OSError, ValueError):
        return 0
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for side in tensor["shape"]:
                size *= side
            total += size
    return total
