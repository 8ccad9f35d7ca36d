"""Change ``persona.toml`` as a whole: checked before it is written, and what hangs on it brought in step."""

from __future__ import annotations

from core.atomic import write_atomically
from core.corpus.importing import rederive_exchanges
from core.errors import SettingsError
from core.settings import parse_settings
from core.workspace import SETTINGS_FILE, Workspace

DRAFT_FILE = "persona.toml.draft"
"""Where a text with a mistake waits to be mended."""


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
    (workspace.root / DRAFT_FILE).unlink(missing_ok=True)
    if names != before:
        rederive_exchanges(workspace)


def keep_draft(workspace: Workspace, text: str) -> None:
    """Keep a text that cannot be the settings yet, so that nothing of it is lost."""
    write_atomically(workspace.root / DRAFT_FILE, text)


def text_to_edit(workspace: Workspace) -> str:
    """The draft when one waits, else the settings as they are."""
    for name in (DRAFT_FILE, SETTINGS_FILE):
        try:
            return (workspace.root / name).read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
    return ""
