"""The files of an adapter, and the two refusals that everything shares that loads one: damaged files, another base.

Chat, evaluation and export all ask here first, so that the same adapter gets the same answer from each of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.errors import ModelError
from core.models.chat_tokenizer import ChatTokenizer
from core.models.packaged import has_weights, revision
from core.store.adapters import AdapterRow
from core.store.datasets import dataset_of
from core.workspace import Workspace

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What a LoRA's folder holds, and what its hash covers."""
FULL_FILES = ("config.json", "model.safetensors")
"""The same of a training of every weight."""
ELSEWHERE = 'simulee adapters export --to merged, or talk with [models.persona] engine = "transformers"'
AGAIN = "bring its files back from a copy, or train it again: simulee train sft"


def files_of(folder: Path) -> tuple[str, ...]:
    """Which of the two a folder of trained weights holds."""
    return FULL_FILES if (folder / FULL_FILES[1]).is_file() else ADAPTER_FILES


def is_lora(adapter: AdapterRow) -> bool:
    """Whether it is a LoRA, rather than a training of every weight."""
    return bool(adapter.settings.get("method") != "full")


def require_lora(adapter: AdapterRow, what: str, hint: str = ELSEWHERE) -> None:
    """Raises ModelError for a training of every weight, which ``what`` cannot hold."""
    if not is_lora(adapter):
        raise ModelError(f"every weight of {adapter.name} was trained: it is no LoRA, and {what} needs one", hint)


def folder_hash(folder: Path, names: tuple[str, ...]) -> str:
    """SHA-256 over the named files of a folder, in this order; 16 hex digits. Raises OSError for a missing one."""
    digest = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def whole_folder(workspace: Workspace, adapter: AdapterRow) -> Path:
    """The adapter's folder, its files read and found as they were trained. Raises ModelError."""
    folder = workspace.root / adapter.path
    try:
        found = folder_hash(folder, ADAPTER_FILES if is_lora(adapter) else FULL_FILES)
    except OSError as error:
        lost = Path(error.filename).name if error.filename else "a file"
        raise ModelError(f"the adapter {adapter.name} has no readable {lost} any more", AGAIN) from None
    if found != adapter.hash:
        raise ModelError(f"the files of the adapter {adapter.name} have changed since it was trained", AGAIN)
    return folder


def check_base(workspace: Workspace, adapter: AdapterRow, base: Path) -> None:
    """Raises ModelError unless the base in this folder has the weights and the tokenizer that the adapter learned on.

    A folder that holds no weights, such as a hub's model of which only the tokenizer was fetched, is judged by its
    tokenizer alone.
    """
    hint = f"load it on {adapter.base} as it was, or train it again: simulee train sft"
    if has_weights(base) and revision(base) != adapter.revision:
        raise ModelError(f"the adapter {adapter.name} was trained on other weights than those at {base}", hint)
    dataset = dataset_of(workspace.database, adapter.dataset_id) if adapter.dataset_id else None
    learned = dataset.settings.get("tokenizer") if dataset else None
    if learned and ChatTokenizer(base).fingerprint != learned:
        raise ModelError(
            f"the adapter {adapter.name} was trained with another tokenizer or chat template than those at {base}", hint
        )
