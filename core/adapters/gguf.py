"""An adapter as a GGUF LoRA, for llama.cpp: made once and kept beside the adapter, or copied out of the workspace."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.adapters.bases import base_of
from core.adapters.files import check_base, require_lora, whole_folder
from core.models.chat_tokenizer import model_folder
from core.models.lora_gguf import convert_lora
from core.store.adapters import AdapterRow
from core.workspace import Workspace


def gguf_of(workspace: Workspace, adapter: AdapterRow) -> Path:
    """The adapter as a GGUF LoRA, made at its first use and kept beside it.

    Raises ModelError for a damaged adapter, another base, or what a GGUF cannot hold.
    """
    require_lora(adapter, "a GGUF adapter")
    folder = whole_folder(workspace, adapter)
    base = model_folder(base_of(workspace, adapter), weights=False)
    check_base(workspace, adapter, base)
    out = folder / f"adapter-{adapter.hash}.gguf"
    return out if out.is_file() else convert_lora(folder, out, base)


def write_gguf(workspace: Workspace, adapter: AdapterRow, out: Path) -> Path:
    """Copy it to ``out``. Raises ModelError."""
    return Path(shutil.copyfile(gguf_of(workspace, adapter), out))
