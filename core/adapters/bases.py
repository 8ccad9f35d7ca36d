"""Where the base of an adapter lies here: a workspace may come from another folder, or from another machine."""

from __future__ import annotations

from pathlib import Path

from core.adapters.files import check_base
from core.errors import ModelError
from core.models.packaged import has_weights, hub_name
from core.store.adapters import AdapterRow
from core.workspace import Workspace


def base_of(workspace: Workspace, adapter: AdapterRow) -> str:
    """The base that an adapter was trained on: by the name it had then, or, where that is a folder that is not here,
    the folder of the persona's base in the settings, if it is the same one.

    It is by its weights and its tokenizer; a folder without weights has to be called the same too.
    """
    stored, own = adapter.base, workspace.settings.models.base
    if stored == own or hub_name(stored) or _is_here(stored) or not _is_here(own):
        return stored
    folder = Path(own).expanduser()
    if not folder.is_dir() or not (has_weights(folder) or folder.name == Path(stored).name):
        return stored
    try:
        check_base(workspace, adapter, folder)
    except ModelError:
        return stored
    return own


def _is_here(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, RuntimeError):  # It may not be looked at, or nobody is called so here.
        return False
