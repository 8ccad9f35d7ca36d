"""A card's words while an editor has them: a file of the workspace, so that what was saved outlives the terminal."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.atomic import write_atomically
from core.workspace import Workspace


def open_edit(workspace: Workspace, uid: str, text: str) -> Path:
    """The file in which this card's words are edited; what was left in it stands there still."""
    path = _path(workspace, uid)
    if not edit_waits(workspace, uid, text):
        write_atomically(path, text)
    return path


def edited_words(workspace: Workspace, uid: str) -> str:
    """What the editor has left; empty where there is nothing."""
    try:
        return _path(workspace, uid).read_bytes().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def edit_waits(workspace: Workspace, uid: str, text: str) -> bool:
    """Whether other words than the card's were left there."""
    return edited_words(workspace, uid) not in ("", text.strip())


def drop_edit(workspace: Workspace, uid: str) -> None:
    """The words are decided on, or not wanted."""
    _path(workspace, uid).unlink(missing_ok=True)


def _path(workspace: Workspace, uid: str) -> Path:
    # Hashed: a uid comes out of a database, which may be somebody else's, and this is a file's name.
    return workspace.root / f"review-edit-{hashlib.sha256(uid.encode()).hexdigest()[:16]}.txt"
