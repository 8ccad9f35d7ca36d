"""Change ``persona.toml`` as a whole: checked before it is written, and what hangs on it brought in step.

The text is edited in a draft beside it, so that whatever ends loses nothing of it. The draft knows which
``persona.toml`` it was made from: one that was changed since is not overwritten unasked.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.atomic import write_atomically
from core.corpus.importing import rederive_exchanges
from core.errors import SettingsError
from core.settings import parse_settings
from core.workspace import SETTINGS_FILE, Workspace

DRAFT_FILE = "persona.draft.toml"
"""The text that is being edited, or that waits to be mended."""
ORIGIN_FILE = ".persona.draft.origin"
"""The hash of the ``persona.toml`` that the draft was made from."""


def change_settings(workspace: Workspace, text: str) -> None:
    """Make this the workspace's settings. Raises SettingsError with the line and the key; then nothing has changed.

    Where the target's names differ, the exchanges are derived anew: who is asked and who answers hangs on them.
    """
    text = text.rstrip("\n") + "\n"
    path = workspace.root / SETTINGS_FILE
    names = parse_settings(text, SETTINGS_FILE).target_names
    try:
        before = parse_settings(path.read_text("utf-8"), SETTINGS_FILE).target_names
    except (ValueError, OSError, SettingsError):
        before = ()
    write_atomically(path, text)
    workspace.forget_settings()
    if names != before:
        rederive_exchanges(workspace)


def open_draft(workspace: Workspace) -> Path:
    """The file to edit: the draft that waits, else the settings as they are."""
    if not draft_waits(workspace):
        base_draft_on_present(workspace)
        write_atomically(workspace.root / DRAFT_FILE, _read(workspace, SETTINGS_FILE).decode("utf-8", "replace"))
    return workspace.root / DRAFT_FILE


def draft_waits(workspace: Workspace) -> bool:
    """Whether there is a draft in which something was changed."""
    draft = _read(workspace, DRAFT_FILE)
    return bool(draft) and _hash(draft) != _origin(workspace)


def draft_is_outdated(workspace: Workspace) -> bool:
    """Whether ``persona.toml`` was changed since the draft that waits was made from it."""
    return draft_waits(workspace) and _hash(_read(workspace, SETTINGS_FILE)) != _origin(workspace)


def base_draft_on_present(workspace: Workspace) -> None:
    """Let the draft be one of ``persona.toml`` as it is now."""
    write_atomically(workspace.root / ORIGIN_FILE, _hash(_read(workspace, SETTINGS_FILE)))


def take_draft(workspace: Workspace) -> bool:
    """Make the draft the settings, as ``change_settings`` does; it has gone then. False when it changes nothing.

    Raises SettingsError for a mistake in it, and where ``persona.toml`` was changed meanwhile; then it stays.
    """
    changed = draft_waits(workspace)
    if changed:
        if draft_is_outdated(workspace):
            raise SettingsError(f"{SETTINGS_FILE} was changed while you edited it", "choose which text is to hold")
        change_settings(workspace, _read(workspace, DRAFT_FILE).decode("utf-8", "replace"))
    drop_draft(workspace)
    return changed


def drop_draft(workspace: Workspace) -> None:
    """Forget the draft; ``persona.toml`` is as it was."""
    for name in (DRAFT_FILE, ORIGIN_FILE):
        (workspace.root / name).unlink(missing_ok=True)


def _read(workspace: Workspace, name: str) -> bytes:
    try:
        return (workspace.root / name).read_bytes()
    except OSError:
        return b""


def _origin(workspace: Workspace) -> str:
    return _read(workspace, ORIGIN_FILE).decode("ascii", "replace")


def _hash(text: bytes) -> str:
    """Of a text, whose last line an editor may have ended."""
    return hashlib.sha256(text.rstrip(b"\n")).hexdigest()
