"""The license of a base model, as its own files tell it. Nothing is guessed and nothing is fetched."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelError
from core.models.gguf_header import gguf_text
from core.models.packaged import SMOLLM2, SMOLLM2_DISTRIBUTION, SMOLLM2_HUB, resolve_persona, smollm2_gguf

CARDS = ("README.md",)
NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
"""What a license's identifier looks like; longer text is none."""
_CARD_LINE = re.compile(r"^license:\s*['\"]?([^'\"\n#]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class License:
    """An identifier in lower case, or empty, and where it was read."""

    name: str
    source: str


UNKNOWN = License("", "")


def license_of(base: str) -> License:
    """What the base's own files or its package say; UNKNOWN where they say nothing or are not here."""
    if base in (SMOLLM2, SMOLLM2_HUB) and (gguf := smollm2_gguf()) is not None:
        return _of_gguf(gguf) or _of_package(SMOLLM2_DISTRIBUTION) or UNKNOWN
    try:
        place = resolve_persona(base)
        folder = place if isinstance(place, Path) else _cached(place)
    except (ModelError, OSError, ValueError, RuntimeError):
        return UNKNOWN
    if folder is None:
        return UNKNOWN
    if folder.is_file():
        return _of_gguf(folder) or UNKNOWN
    return _of_card(folder) or UNKNOWN


def _cached(name: str) -> Path | None:
    """The folder of a hub model's files on this machine. Raises ValueError for what is no hub name."""
    from huggingface_hub import try_to_load_from_cache

    for file in (*CARDS, "config.json"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str):
            return Path(found).parent
    return None


def _of_gguf(path: Path) -> License | None:
    try:
        named = gguf_text(path, "general.license")
    except (OSError, ValueError, OverflowError):
        return None
    return _license(named or "", f"the metadata of {path.name}")


def _of_card(folder: Path) -> License | None:
    """From the front matter of the model's own card."""
    for name in CARDS:
        try:
            text = (folder / name).read_text("utf-8", "replace")[:20_000]
        except OSError:
            continue
        if text.startswith("---") and (found := _CARD_LINE.search(text.split("\n---", 1)[0])):
            return _license(found[1].strip(), f"its {name}")
    return None


def _of_package(distribution: str) -> License | None:
    try:
        told = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    named = told["License-Expression"] or told["License"]
    return _license(str(named or ""), f"the package {distribution}")


def _license(text: str, source: str) -> License | None:
    return License(text.lower(), source) if NAMED.fullmatch(text) else None
