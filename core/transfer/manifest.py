"""What a pack says of itself, and what its members may be called."""

from __future__ import annotations

import importlib.metadata
import json
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.adapters.files import ADAPTER_FILES, FULL_FILES
from core.errors import TransferError
from core.training.checkpoints import BEST, WELL
from core.workspace import DATABASE_FILE, SETTINGS_FILE

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 32 << 20
RETRIEVERS = "retriever"
"""The folder of trained retrievers under ``adapters``; they are files alone, no rows name them."""
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_RUN = r"[a-z][a-z0-9_-]{0,49}-[0-9]{1,9}"
_MEMBER = re.compile(
    "|".join(
        (
            re.escape(SETTINGS_FILE),
            re.escape(DATABASE_FILE),
            rf"prompts/{_PART}\.j2",
            rf"adapters/{_PART}/({'|'.join(map(re.escape, (*ADAPTER_FILES, *FULL_FILES)))})",
            rf"adapters/{RETRIEVERS}(/{_PART}){{1,4}}",
            rf"runs/{_RUN}/(run|state|hosted|spared|examples)\.json",
            rf"runs/{_RUN}/events\.jsonl",
            rf"runs/{_RUN}/checkpoints/(checkpoint-[0-9]{{1,9}}|{BEST}|{WELL})(/{_PART}){{1,3}}",
        )
    )
)
HINT = "take a file that `simulee pack` wrote, and copy it again"


class Member(BaseModel):
    """One file of a pack."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: Annotated[int, Field(ge=0, strict=True)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """The first thing that is read of a pack, and the last that is written."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int
    simulee: str
    target: str
    names: tuple[str, ...]
    """What the target goes by; empty for one without a name, which is called by its folder."""
    packed_at: str
    contents: Literal["everything", "training"]
    runs: dict[str, str]
    """Every run's id and identity, those too that are not in the pack."""
    members: dict[str, Member]


def is_member(name: str) -> bool:
    """Whether a pack may hold a file of this name: no other one is ever written or read."""
    return _MEMBER.fullmatch(name) is not None


def version() -> str:
    try:
        return importlib.metadata.version("simulee")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def read_manifest(data: bytes, pack: str) -> Manifest:
    """Raises TransferError for another format, and for what is no manifest."""
    try:
        values = json.loads(data)
        form = values["format"]
        if form != FORMAT:
            raise TransferError(
                f"{pack} has format {str(form)[:20]}, this simulee reads {FORMAT}",
                "upgrade simulee: pip install --upgrade simulee",
            )
        return Manifest.model_validate(values)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        raise TransferError(f"{pack} is no pack: its manifest cannot be read", HINT) from None
