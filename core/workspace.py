"""One directory for one target: ``persona.toml``, ``persona.db``, ``adapters/``, ``exports/``, ``runs/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import tomlkit

from core.atomic import write_atomically
from core.errors import NoWorkspaceError, WorkspaceError
from core.settings import PersonaSettings, PrivacySettings, Settings, SettingsNow, load_settings
from core.store.database import Database

SETTINGS_FILE = "persona.toml"
DATABASE_FILE = "persona.db"
FOLDERS = ("adapters", "exports", "runs")


class Workspace:
    """An open workspace; the database is opened at first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._now = SettingsNow(root / SETTINGS_FILE)

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        aliases: tuple[str, ...] = (),
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Workspace:
        """Make a workspace for the target ``name``, with sections of settings where given.

        Raises WorkspaceError when the folder holds something.
        """
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise WorkspaceError(f"{root} is not empty", "name a folder that does not exist yet: --dir D")
        if not _is_text(str(root), name, *aliases):
            raise WorkspaceError(f"{name!r} in {str(root)!r} is not all text", "use names that are valid UTF-8")
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)
            for folder in FOLDERS:
                (root / folder).mkdir(mode=0o700, exist_ok=True)
            document: dict[str, object] = {"name": name}
            if aliases:
                document["aliases"] = list(aliases)
            document.update(sections or {})
            Database.create(root / DATABASE_FILE).close()
            # The settings come last: a folder that holds them is a whole workspace.
            write_atomically(root / SETTINGS_FILE, tomlkit.dumps(document))
        except OSError as error:
            raise WorkspaceError(
                f"cannot create {root}: {error.strerror}", "choose a folder you can write to"
            ) from None
        return cls(root)

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open the workspace at ``root``. Raises WorkspaceError when there is none."""
        if not root.exists():
            raise WorkspaceError(f"{root} does not exist", "simulee new NAME makes a workspace")
        missing = [name for name in (SETTINGS_FILE, DATABASE_FILE) if not (root / name).is_file()]
        if missing:
            raise WorkspaceError(f"{root} is not a workspace: it has no {missing[0]}", "simulee new NAME makes one")
        return cls(root)

    @classmethod
    def find(cls, start: Path) -> Workspace:
        """The nearest parent of ``start`` (itself included) that is a workspace. Raises WorkspaceError."""
        for folder in (start, *start.parents):
            if (folder / SETTINGS_FILE).is_file():
                return cls.open(folder)
        raise NoWorkspaceError(
            f"no workspace here: neither {start} nor a parent holds {SETTINGS_FILE}",
            "cd into one, pass -w DIR, or make one: simulee new NAME",
        )

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.root / SETTINGS_FILE)

    def forget_settings(self) -> None:
        """Read ``persona.toml`` again at the next use: somebody else has changed it."""
        self.__dict__.pop("settings", None)

    @property
    def privacy(self) -> PrivacySettings:
        """What may leave, as ``persona.toml`` says at this moment: consent that was taken out of it holds no longer,
        though the other settings are as they were read. For any thread. Raises SettingsError."""
        return self._now().privacy

    @property
    def persona(self) -> PersonaSettings:
        """The same of what speaks as the target."""
        return self._now().models.persona

    def add_names(self, name: str = "", aliases: Sequence[str] = ()) -> None:
        """Add names by which the target goes to ``persona.toml``; everything else in it stays as it was written.

        The first name is the target's; another one given later is an alias. Raises SettingsError.
        """
        path = self.root / SETTINGS_FILE
        load_settings(path)
        document = tomlkit.parse(path.read_text("utf-8"))
        known = [str(alias) for alias in document.get("aliases", [])]
        if name and not document.get("name"):
            document["name"] = name
        wanted = dict.fromkeys((name, *aliases))
        fresh = [alias for alias in wanted if alias and alias not in (*known, document.get("name"))]
        if fresh:
            document["aliases"] = [*known, *fresh]
        write_atomically(path, tomlkit.dumps(document))
        self.forget_settings()
        load_settings(path)

    @cached_property
    def database(self) -> Database:
        return Database.open(self.root / DATABASE_FILE)

    @property
    def target(self) -> str:
        return self.settings.name or self.root.name

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    @property
    def exports(self) -> Path:
        return self.root / "exports"


def folder_for(name: str, beside: Path) -> Path:
    """Where a workspace for a target of this name goes."""
    return beside.absolute() / (name.replace("/", "-").strip().lstrip(".") or "workspace")


def _is_text(*names: str) -> bool:
    """Whether a file can hold these: an argument or a path of other bytes comes with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for name in names for character in name)
