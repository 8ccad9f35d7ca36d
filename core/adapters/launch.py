"""Names of the exporting run, and what it is asked, for those who start one without importing a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.adapters.choice import adapter_named
from core.errors import UsageError
from core.workspace import Workspace

EXPORT_KIND = "export"
EXPORT_ENTRY = "core.adapters.export:run"
FORMATS = {
    "safetensors": "the LoRA as PEFT reads it",
    "merged": "base and LoRA in one, as transformers reads it",
    "gguf": "the LoRA as llama.cpp reads it",
    "vllm": "the LoRA and the command that serves it on vLLM",
}


def export_params(workspace: Workspace, name: str, to: str, out: Path | None = None) -> dict[str, Any]:
    """What an ``export`` run is asked; ``out`` is the folder in which the export's own folder appears.

    Raises UsageError for an unknown adapter or format.
    """
    adapter = adapter_named(workspace, name)
    if to not in FORMATS:
        raise UsageError(f"no adapter format {to!r}", f"choose one of: {', '.join(FORMATS)}")
    try:
        folder = (out or workspace.exports).expanduser().absolute()
    except RuntimeError:  # ~NAME of nobody here.
        raise UsageError(f"{out} names nobody's folder", "name a folder with --out, or leave it out") from None
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "name a folder with --out, or leave it out")
    return {"adapter": adapter.name, "to": to, "out": str(folder)}


def plain_name(name: str) -> str:
    """A name that is safe as a folder's, in a shell and in a URL."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "adapter"
