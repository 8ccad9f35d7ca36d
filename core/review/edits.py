"""A card's words while an editor has them: a file of the workspace, so that what was saved outlives the terminal.

The file knows which words of the card it was made from: newer ones are not overwritten unasked.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.atomic import write_atomically
from core.workspace import Workspace


def open_edit(workspace: Workspace, uid: str, text: str) -> Path:
    """The file in which this card's words are edited; what was left in it stands there still."""
    path = _path(workspace, uid)
    if not edit_waits(workspace, uid, text):
        drop_edit(workspace, uid)
        base_edit_on(workspace, uid, text)
        write_atomically(path, text)
    return path


def edited_words(workspace: Workspace, uid: str) -> str:
    """What the editor has left; empty where there is nothing."""
    return _read(_path(workspace, uid)).strip()


def edit_waits(workspace: Workspace, uid: str, text: str) -> bool:
    """Whether other words than the card's were left there, which it was not made from either."""
    words = edited_words(workspace, uid)
    return words not in ("", text.strip()) and _hash(words) != _read(_origin(workspace, uid))


def edit_is_outdated(workspace: Workspace, uid: str, text: str) -> bool:
    """Whether the card has other words now than those that the edit that waits was made from."""
    return edit_waits(workspace, uid, text) and _read(_origin(workspace, uid)) != _hash(text)


def base_edit_on(workspace: Workspace, uid: str, text: str) -> None:
    """Let the edit be one of these words of the card."""
    write_atomically(_origin(workspace, uid), _hash(text))


def drop_edit(workspace: Workspace, uid: str) -> None:
    """The words are decided on, or not wanted."""
    for path in (_path(workspace, uid), _origin(workspace, uid)):
        path.unlink(missing_ok=True)


def _path(workspace: Workspace, uid: str) -> Path:
    # Hashed: a uid comes out of a database, which may be somebody else's, and this is a file's name.
    return workspace.root / f"review-edit-{hashlib.sha256(uid.encode()).hexdigest()[:16]}.txt"


def _origin(workspace: Workspace, uid: str) -> Path:
    return _path(workspace, uid).with_name(f".{_path(workspace, uid).stem}.origin")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _hash(text: str) -> str:
    """Of a card's words, around which an editor may have left blanks."""
    return hashlib.sha256(text.strip().encode()).hexdigest()
