"""Write a workspace as one file: settings, database, whole adapters, finished runs.

The database goes as an online copy, so that others may work on the workspace meanwhile; what is under way is not in it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.errors import TransferError
from core.runs.journal import holding, is_alive
from core.settings import parse_settings
from core.store.packing import packed_copy
from core.transfer.adapters import adapters_to_pack, retrievers_to_pack
from core.transfer.archive import write_pack
from core.transfer.manifest import FORMAT, Manifest, Member, is_member, version
from core.transfer.runs import PackedRuns, runs_to_pack
from core.transfer.secrecy import refuse_secrets
from core.workspace import DATABASE_FILE, SETTINGS_FILE, Workspace

COPYING = ".packing-"


@dataclass(frozen=True, slots=True)
class Packed:
    """A pack as it was written."""

    path: Path
    bytes: int
    added: dict[str, int]
    left_out: dict[str, int]
    running: tuple[str, ...]
    """Runs that were at work and are not in it."""


def pack(workspace: Workspace, path: Path, for_training: bool = False, checkpoints: bool = False) -> Packed:
    """Write the workspace to a file, mode 0600, whole or not at all.

    ``for_training`` leaves out adapters and runs; ``checkpoints`` adds what each run goes on with: its newest whole
    checkpoint, and the weights that it keeps beside it. Raises TransferError when the file is there already, when the
    settings hold a key, and when it cannot be written.
    """
    if path.exists():
        raise TransferError(f"{path} is there already", "name another file, or remove it")
    text = (workspace.root / SETTINGS_FILE).read_text("utf-8")
    settings = parse_settings(text, SETTINGS_FILE)
    refuse_secrets(text, settings)
    adapters, damaged = adapters_to_pack(workspace)
    runs = runs_to_pack(workspace.runs, checkpoints and not for_training)
    added: Counter[str] = Counter()
    left_out: Counter[str] = Counter({"adapters": damaged})

    def members(copy: Path) -> Iterator[tuple[str, Path | bytes]]:
        yield SETTINGS_FILE, text.encode()
        yield DATABASE_FILE, copy
        for prompt in sorted((workspace.root / "prompts").glob("*.j2")):
            if is_member(f"prompts/{prompt.name}"):
                yield f"prompts/{prompt.name}", prompt
        if for_training:
            return
        for files in adapters.values():
            yield from files
        yield from retrievers_to_pack(workspace)
        yield from runs.members

    def finish(written: dict[str, Member]) -> Manifest:
        return Manifest(
            format=FORMAT, simulee=version(), target=workspace.target,
            names=settings.target_names, packed_at=datetime.now(UTC).isoformat(timespec="seconds"),
            contents="training" if for_training else "everything", runs=runs.identities, members=written,
        )  # fmt: skip

    with _told(path), _copying(workspace) as copy, _partial(path) as partial:
        packed_copy(workspace.database, copy, () if for_training else adapters.keys())
        write_pack(partial, members(copy), finish)
        partial.replace(path)
    if for_training:
        left_out["adapters"] += len(adapters)
        left_out["runs"] += len(runs.identities)
    else:
        added.update(adapters=len(adapters), runs=runs.carried)
        left_out["runs"] += len(runs.identities) - runs.carried
    return Packed(path, path.stat().st_size, dict(+added), dict(+left_out), _at_work(runs))


def _at_work(runs: PackedRuns) -> tuple[str, ...]:
    return tuple(runs.running)


@contextmanager
def _copying(workspace: Workspace) -> Iterator[Path]:
    """Where the database's copy goes: beside the database, since a database cannot be opened just anywhere."""
    for stale in workspace.root.glob(f"{COPYING}*"):
        if not is_alive(stale):
            shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=COPYING, dir=workspace.root))
    try:
        with holding(folder / "lock"):
            yield folder / DATABASE_FILE
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A name of its own beside the file, on the same disk; gone afterwards."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.absolute().parent)
    except OSError as error:
        raise TransferError(f"cannot write {path}: {error.strerror}", "choose a folder you can write to") from None
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A refusal of the system becomes one line."""
    try:
        yield
    except OSError as error:
        raise TransferError(
            f"cannot write {path}: {error.strerror or error}",
            "free some space, or choose another disk; then pack again",
        ) from None
