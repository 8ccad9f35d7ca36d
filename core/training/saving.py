"""The end of a training run: its weights written whole, registered, and chosen for the twin."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.adapters.files import ADAPTER_FILES, FULL_FILES, folder_hash
from core.runs.job import Job
from core.store.adapters import (
    INHERITED,
    INHERITED_PREFERENCES,
    AdapterRow,
    inherited,
    inherited_preferences,
    put_adapter,
    use_adapter,
)
from core.store.database import Database


def save_adapter(
    job: Job,
    model: Any,
    state: Mapping[str, Any] | None = None,
    *,
    dataset_id: int | None,
    memories: bool,
    base: str,
    revision: str,
    settings: Mapping[str, Any],
    use: bool = True,
) -> tuple[str, str]:
    """Write the weights of a run as the adapter of its name, and register it. Returns (name, content hash).

    Of one that goes on from another, its settings name what is behind that one too. It becomes the twin's unless
    ``use`` or the run's own is off. ``model`` is a PEFT model, or a whole one whose every weight was trained; ``state``
    its weights where it does not hold them all itself.
    """
    workspace = job.workspace
    name = job.folder.name
    for left in workspace.adapters.glob(f".{name}.*"):  # What an attempt left that was killed.
        shutil.rmtree(left, ignore_errors=True)
    partial = workspace.adapters / f".{name}.{os.getpid()}"
    whole = not hasattr(model, "peft_config")
    wanted = FULL_FILES if whole else ADAPTER_FILES
    # One file whatever its size: its name is known to those who check and load it.
    size = {"max_shard_size": "1000GB"} if whole else {}
    target = workspace.adapters / name
    try:
        model.save_pretrained(partial, state_dict=state, **size)
        for extra in partial.iterdir():
            if extra.name not in wanted:
                extra.unlink()
        if not whole:
            _portable(partial / ADAPTER_FILES[0], base)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # On a full disk it would hold the room that is missing.
        raise
    content_hash = folder_hash(target, wanted)
    start = settings.get("start_from")
    with workspace.database.write():
        chain = _chain(workspace.database, start) if start else {}
        adapter_id = put_adapter(
            workspace.database,
            AdapterRow(
                0, name, dataset_id, name, base, revision, int(memories), str(target.relative_to(workspace.root)),
                content_hash, {**settings, **chain}, datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )  # fmt: skip
        if use and job.params.get("use", True):
            use_adapter(workspace.database, adapter_id)
    return name, content_hash


def _chain(database: Database, start: str) -> dict[str, Any]:
    """What is in the weights of an adapter because it goes on from this one."""
    judged = inherited_preferences(database, start)
    return {INHERITED: inherited(database, start)} | ({INHERITED_PREFERENCES: judged} if judged else {})


def take_best(model: Any, best: Path) -> None:
    """Put the weights that were best on the validation split back into the model."""
    from safetensors.torch import load_file

    if hasattr(model, "peft_config"):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, load_file(best / ADAPTER_FILES[1]))
        return
    for path in sorted(best.glob("*.safetensors")):
        model.load_state_dict(load_file(path), strict=False)


def _portable(config: Path, base: str) -> None:
    """Name the base by its name, not by a path of this machine; the same training gives the same bytes anywhere."""
    values = json.loads(config.read_text("utf-8"))
    values["base_model_name_or_path"] = Path(base).name if Path(base).expanduser().is_dir() else base
    for key, value in values.items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            values[key] = sorted(value)
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
