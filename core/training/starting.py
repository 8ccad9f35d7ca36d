"""An adapter that a training goes on from: where it lies, and what of the settings is its own. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path

from core.adapters.bases import base_of
from core.adapters.files import ADAPTER_FILES, check_base, require_lora, whole_folder
from core.errors import TrainingError
from core.models.chat_tokenizer import model_folder
from core.settings import TrainingSettings
from core.store.adapters import AdapterRow, find_adapter
from core.workspace import Workspace

OWN = {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"}
"""What decides an adapter's shape: our name of it, and PEFT's."""


def start_of(workspace: Workspace, name: str | None, base: str) -> Path | None:
    """The folder of the adapter that a run goes on from. Raises TrainingError for none, or one of another base; and
    ModelError for one that is damaged, or no LoRA."""
    if name is None:
        return None
    adapter = find_adapter(workspace.database, name)
    if adapter is None:
        raise TrainingError(f"no adapter {name!r} here", "see `simulee adapters list`")
    own = base_of(workspace, adapter)
    if own != base:
        raise TrainingError(f"{name} was trained on {own}, not on {base}", f"--base {own}")
    return folder_to_go_on_from(workspace, adapter)


def folder_to_go_on_from(workspace: Workspace, adapter: AdapterRow) -> Path:
    """The folder of a LoRA, whole and on the base that it learned on. Raises ModelError."""
    require_lora(adapter, "a training that goes on from it")
    check_base(workspace, adapter, model_folder(base_of(workspace, adapter)))
    return whole_folder(workspace, adapter)


def going_on_from(start: Path | None, settings: TrainingSettings) -> TrainingSettings:
    """The settings with the rank, alpha and dropout of the adapter that is gone on from, which keeps its own."""
    if start is None:
        return settings
    try:
        told = json.loads((start / ADAPTER_FILES[0]).read_text("utf-8"))
        return settings.model_copy(update={ours: told[theirs] for ours, theirs in OWN.items() if theirs in told})
    except (OSError, ValueError, TypeError):  # No LoRA, or a damaged one: loading it says so.
        return settings
