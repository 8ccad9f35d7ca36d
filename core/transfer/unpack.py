"""Make a workspace of a pack: every member is verified beside its place before anything stands in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsError, StoreError, TransferError, WorkspaceError
from core.settings import Settings, load_settings
from core.store.adapters import list_adapters
from core.store.consents import list_consents
from core.store.database import Database
from core.store.packing import check_packed
from core.transfer.adapters import is_whole
from core.transfer.archive import Pack, open_pack
from core.transfer.manifest import HINT, Manifest
from core.transfer.runs import REQUEST, check_run, mark_brought
from core.workspace import DATABASE_FILE, FOLDERS, SETTINGS_FILE, Workspace, folder_for


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A workspace as it was made."""

    workspace: Workspace
    manifest: Manifest
    added: dict[str, int]
    hosts: tuple[str, ...]
    """That may receive words by what the pack brought: a person's consents, and those of the settings."""


def unpack(file: Path, folder: Path | None = None) -> Unpacked:
    """Make a workspace in a folder that is empty or not there, by default one named for the target.

    Raises WorkspaceError for a folder that holds something, TransferError or StoreError for a pack that cannot be one;
    then nothing is left behind.
    """
    with open_pack(file) as pack:
        root = (folder or folder_for(pack.manifest.target, Path.cwd())).absolute()
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise WorkspaceError(f"{root} is not empty", "name a folder that does not exist yet: --dir D")
        partial = root.with_name(f".{root.name}.unpacking-{os.getpid()}")
        try:
            partial.mkdir(mode=0o700, parents=True)
            _fill(pack, partial)
            partial.replace(root)
        except OSError as error:
            raise TransferError(
                f"cannot unpack into {root}: {error.strerror or error}", "free some space, or choose another folder"
            ) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        manifest = pack.manifest
    workspace = Workspace.open(root)
    hosts = {row.host for row in list_consents(workspace.database)} | set(workspace.settings.privacy.consent)
    added = {
        "adapters": len(list_adapters(workspace.database)),
        "runs": sum(name.endswith(f"/{REQUEST}") for name in manifest.members),
    }
    return Unpacked(workspace, manifest, added, tuple(sorted(hosts)))


def lay_out(pack: Pack, folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> Settings:
    """Lay a pack's wanted files out in an empty folder, and verify all: hashes, settings, schema. Returns its settings.

    The database is of today's schema then, and closed.
    """
    pack.extract(folder, wanted)
    for name in (SETTINGS_FILE, DATABASE_FILE):
        if not (folder / name).is_file():
            raise TransferError(f"{pack.name} is no pack: it has no {name}", HINT)
    try:
        settings = load_settings(folder / SETTINGS_FILE)
    except SettingsError as error:
        # Told without the path, which is of a folder that is gone when it is read.
        raise TransferError(f"{pack.name}: {error.message.replace(f'{folder}/', '')}", HINT) from None
    try:
        check_packed(folder / DATABASE_FILE)
    except StoreError as error:
        raise StoreError(f"{pack.name}: {error.message}", error.hint) from None
    Database.open(folder / DATABASE_FILE).close()
    for leftover in folder.glob(f"{DATABASE_FILE}.*.backup"):
        leftover.unlink()
    return settings


def _fill(pack: Pack, folder: Path) -> None:
    lay_out(pack, folder)
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for request in (folder / "runs").glob(f"*/{REQUEST}"):
        check_run(request.parent, pack.manifest.runs)
        mark_brought(request.parent)
    database = Database.open(folder / DATABASE_FILE)
    try:
        for adapter in list_adapters(database):
            if not is_whole(folder, adapter):
                raise TransferError(f"{pack.name}: the adapter {adapter.name!r} is not what was trained", HINT)
    finally:
        database.close()
