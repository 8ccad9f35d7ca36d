"""Adapters that travel: whole ones only, by their stored hash; and trained retrievers, which are files alone."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.adapters.files import files_of, folder_hash
from core.store.adapters import AdapterRow, list_adapters
from core.store.database import Database
from core.store.merging.results import Brought, add_adapter, same_adapter, their_adapters
from core.store.merging.tables import Tally
from core.transfer.manifest import RETRIEVERS, is_member
from core.transfer.runs import BroughtRuns
from core.workspace import Workspace


def adapters_to_pack(workspace: Workspace) -> tuple[dict[int, list[tuple[str, Path]]], int]:
    """The members of each whole adapter, by its id; and how many are damaged or cannot be named in a pack."""
    whole: dict[int, list[tuple[str, Path]]] = {}
    rows = list_adapters(workspace.database)
    for adapter in rows:
        members = [
            (f"{adapter.path}/{name}", workspace.root / adapter.path / name)
            for name in files_of(workspace.root / adapter.path)
        ]
        if all(is_member(name) for name, _ in members) and is_whole(workspace.root, adapter):
            whole[adapter.id] = members
    return whole, len(rows) - len(whole)


def retrievers_to_pack(workspace: Workspace) -> Iterator[tuple[str, Path]]:
    """The members of trained retrievers, and of the choice among them."""
    for path in sorted((workspace.adapters / RETRIEVERS).rglob("*")):
        name = path.relative_to(workspace.root).as_posix()
        if path.is_file() and not path.is_symlink() and is_member(name):
            yield name, path


def is_whole(root: Path, adapter: AdapterRow) -> bool:
    """Whether an adapter's files are there, as they were when it was trained."""
    try:
        return folder_hash(root / adapter.path, files_of(root / adapter.path)) == adapter.hash
    except OSError:
        return False


class BroughtAdapters:
    """Their adapters beside ours. Folders are moved in one by one, and out again by ``take_back``."""

    def __init__(self, workspace: Workspace, staged: Path, runs: BroughtRuns) -> None:
        """``staged`` is the folder that the pack was laid out in."""
        self._workspace = workspace
        self._staged = staged
        self._runs = runs
        self._moved: list[Path] = []
        self.names: dict[str, str] = {}
        """What each of theirs that is here is called there → here."""
        self.retriever_names: dict[str, str] = {}

    def bring(self, db: Database, tally: Tally) -> dict[int, int]:
        """Store and move in what is not here. Returns their id → id here. The caller holds the transaction."""
        ids: dict[int, int] = {}
        for adapter in their_adapters(db):
            own = same_adapter(db, adapter)
            wanted = files_of(self._staged / adapter.path)[0]
            if own is None and is_member(f"{adapter.path}/{wanted}") and is_whole(self._staged, adapter):
                brought = self._named(db, adapter)
                self._move(self._staged / adapter.path, self._workspace.root / brought.path, adapter)
                own = add_adapter(db, adapter, brought)
                tally.added["adapters"] += 1
            if own is None:
                tally.left_out["adapters"] += 1
            else:
                ids[adapter.id] = own
        here = {row.id: row.name for row in list_adapters(db)}
        self.names = {adapter.name: here[ids[adapter.id]] for adapter in their_adapters(db) if adapter.id in ids}
        return ids

    def bring_retrievers(self, tally: Tally) -> None:
        """Move in trained retrievers that are not here. The choice among them stays as it is here."""
        here = self._workspace.adapters / RETRIEVERS
        for staged in sorted((self._staged / "adapters" / RETRIEVERS).glob("*")):
            if staged.is_dir():
                same = [path for path in here.glob("*") if path.is_dir() and _same_files(path, staged)]
                if same:
                    self.retriever_names[staged.name] = same[0].name
                else:
                    target = _free(here, staged.name)
                    here.mkdir(mode=0o700, exist_ok=True)
                    self._moved.append(target)
                    self.retriever_names[staged.name] = target.name
                    staged.replace(target)
                    tally.added["retrievers"] += 1
            elif staged.suffix and not (here / staged.name).exists():
                here.mkdir(mode=0o700, exist_ok=True)
                self._moved.append(here / staged.name)
                staged.replace(here / staged.name)
                tally.added["retrievers"] += 1

    def take_back(self, db: Database) -> None:
        """Remove what was moved in, unless it is stored all the same."""
        stored = {self._workspace.root / adapter.path for adapter in list_adapters(db)}
        for path in self._moved:
            if path.is_dir() and path not in stored:
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file():
                path.unlink(missing_ok=True)

    def _named(self, db: Database, adapter: AdapterRow) -> Brought:
        """Its own name where that is free, else the next number that nothing here goes by."""
        own = list_adapters(db)
        names, runs = {row.name for row in own}, {row.run_id for row in own}
        run_id = self._runs.known(adapter.run_id) or adapter.run_id
        if run_id in runs or (self._runs.known(adapter.run_id) is None and self._is_run(run_id)):
            run_id = self._next(run_id, names | runs, adapter)
        name = adapter.path.removeprefix("adapters/")
        if name != adapter.name or name in names or not self._is_room(name, adapter):
            name = run_id
        if name in names or not self._is_room(name, adapter):
            name = self._next(run_id, names | runs, adapter)
        return Brought(name, run_id, f"adapters/{name}")

    def _next(self, wanted: str, taken: set[str], adapter: AdapterRow) -> str:
        kind, _, number = wanted.rpartition("-")
        kind, place = (kind, int(number)) if number.isdecimal() and kind else (wanted, 1)
        while True:
            place += 1
            name = f"{kind}-{place}"
            if name not in taken and not self._is_run(name) and self._is_room(name, adapter):
                return name

    def _is_run(self, name: str) -> bool:
        return (self._workspace.runs / name).exists()

    def _is_room(self, name: str, adapter: AdapterRow) -> bool:
        """Whether its folder can be there: none is, or one that a killed merge left behind."""
        folder = self._workspace.adapters / name
        return not folder.exists() or _holds(folder, adapter)

    def _move(self, staged: Path, target: Path, adapter: AdapterRow) -> None:
        if _holds(target, adapter):
            return
        self._moved.append(target)
        staged.replace(target)


def _holds(folder: Path, adapter: AdapterRow) -> bool:
    try:
        return folder_hash(folder, files_of(folder)) == adapter.hash
    except OSError:
        return False


def _free(folder: Path, name: str) -> Path:
    path, number = folder / name, 2
    while path.exists():
        path, number = folder / f"{name}-{number}", number + 1
    return path


def _same_files(one: Path, other: Path) -> bool:
    names = sorted(path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file())
    others = sorted(path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file())
    return names == others and not any(filecmp.cmpfiles(one, other, names, shallow=False)[1:])
