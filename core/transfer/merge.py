"""Bring what a copy of this workspace has gained elsewhere: one transaction, an online backup before it.

What each table does is told in ``core.store.merging.tables``. Nothing is removed or overruled but by rules that are
the same from either side, so that two machines that merge each other's packs hold the same. Files are moved in before
the transaction ends, and out again when it fails; after a kill between the two at most whole folders remain that
nothing names, and the next merge takes them up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import TransferError
from core.retrieval.launch import EMBED_KIND, QUESTIONS_KIND
from core.review.decisions import fold
from core.runs.journal import holding
from core.settings import Settings
from core.store.adapters import names_taken
from core.store.database import Database
from core.store.decisions import list_decisions
from core.store.merging.calls import merge_calls
from core.store.merging.corpus import merge_corpus
from core.store.merging.passages import merge_passages
from core.store.merging.results import merge_datasets, merge_scorecards
from core.store.merging.review import count_waiting, forget_learned, merge_draws, merge_log, replace_states
from core.store.merging.tables import Tally, attached
from core.store.merging.talk import merge_talk
from core.store.sources import list_sources
from core.transfer.adapters import BroughtAdapters
from core.transfer.archive import open_pack
from core.transfer.forms import Forms, correct_own, correct_theirs, two_forms
from core.transfer.manifest import HINT, Manifest
from core.transfer.runs import BroughtRuns, is_to_go_on
from core.transfer.unpack import lay_out
from core.workspace import DATABASE_FILE, Workspace

BACKUP = f"{DATABASE_FILE}.before-merge.backup"
STAGING = ".merging-"


@dataclass(frozen=True, slots=True)
class Merged:
    """What came, what did not, by noun."""

    added: dict[str, int]
    left_out: dict[str, int]
    waiting: int
    """Cards that are decided on and are not here yet."""
    unended: int
    """Runs that ended there and could not be written as ended here: they are at work, or the disk is full."""
    backup: Path | None
    """The database as it was before; None when nothing came."""


def merge(workspace: Workspace, file: Path) -> Merged:
    """Merge a pack into the workspace. A second time adds nothing.

    Raises TransferError for a pack that is damaged or is another target's, StoreError for a database that is; then the
    workspace is as it was.
    """
    with _alone(workspace):
        for stale in workspace.root.glob(f"{STAGING}*"):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            with open_pack(file) as pack, _staging(workspace) as staged:
                settings = lay_out(pack, staged, lambda name: not is_to_go_on(name))
                _refuse_another_target(workspace, settings, staged / DATABASE_FILE, file.name)
                return _merge(workspace, staged, pack.manifest)
        except (ValueError, TypeError, KeyError, RecursionError):
            # Only a stranger's rows: every file of a pack is as it was packed.
            raise TransferError(f"{file.name} holds what simulee never wrote", HINT) from None
        except OSError as error:
            raise TransferError(
                f"cannot merge {file.name}: {error.strerror or error}", "free some space, then merge it again"
            ) from None


def _merge(workspace: Workspace, staged: Path, manifest: Manifest) -> Merged:
    database, tally = workspace.database, Tally()
    backup = staged / BACKUP
    database.backup(backup)
    runs = BroughtRuns(workspace.runs, staged / "runs", manifest.runs)
    adapters = BroughtAdapters(workspace, staged, runs)
    forms = _settled_forms(database, staged / DATABASE_FILE)
    with attached(database, staged / DATABASE_FILE):
        try:
            with database.write():
                _bring(database, runs, adapters, forms, tally)
        except BaseException:
            runs.take_back()
            adapters.take_back(database)
            raise
        # What follows cannot undo the merge, so it must not seem to have failed; the backup comes first.
        kept = workspace.root / BACKUP if +tally.added or runs.ending else None
        if kept is not None:
            backup.replace(kept)
        tally.waiting = count_waiting(database)
    ended = runs.finish()
    tally.added["runs"] += ended
    return Merged(dict(+tally.added), dict(+tally.left_out), tally.waiting, runs.ending - ended, kept)


def _settled_forms(database: Database, copy: Path) -> list[Forms]:
    """Conversations that stand here and there in two forms, once the copy has those of this side that are newer."""
    with attached(database, copy):
        forms = two_forms(database)
    if any(each.older_is_theirs for each in forms):
        with closing(Database.open(copy)) as theirs:
            correct_theirs(database, theirs, forms)
    return forms


def _bring(
    database: Database, runs: BroughtRuns, adapters: BroughtAdapters, forms: Sequence[Forms], tally: Tally
) -> None:
    """Everything, in the order in which one thing names another."""
    tally.added["runs"] += runs.bring(names_taken(database))
    merge_corpus(database, tally)
    correct_own(database, forms)
    merge_passages(database, tally)
    places = merge_log(database, tally)
    merge_draws(database, tally)
    merge_datasets(database, places, tally)
    ids = adapters.bring(database, tally)
    adapters.bring_retrievers(tally)
    runs.name_made(adapters.names, adapters.retriever_names)
    merge_scorecards(database, ids, tally)
    merge_talk(database, ids, tally)
    merge_calls(database, runs.in_ledger, tally)
    if places.changed:
        replace_states(database, fold(list_decisions(database)))
    if places.changed or tally.added["memories"]:
        forget_learned(database)


def _refuse_another_target(workspace: Workspace, theirs: Settings, copy: Path, name: str) -> None:
    """No workspace has a number of its own: the target's names must meet, and so must what was imported."""
    own_names = {each.casefold() for each in workspace.settings.target_names}
    their_names = {each.casefold() for each in theirs.target_names}
    if own_names and their_names and not own_names & their_names:
        raise TransferError(
            f"{name} is a pack of {theirs.target_names[0]}, this is the workspace of {workspace.target}",
            "merge it where it was packed, or unpack it: simulee unpack F",
        )
    database = Database.open(copy)
    try:
        their_sources = {source.uid for source in list_sources(database)}
    finally:
        database.close()
    own_sources = {source.uid for source in list_sources(workspace.database)}
    if own_sources and their_sources and not own_sources & their_sources:
        raise TransferError(
            f"{name} and this workspace have no source in common: neither is a copy of the other",
            "merge a pack of this workspace, or of one that was unpacked from it",
        )


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Neither another merge beside this one, nor a run that holds the index, which is dropped when vectors come."""
    with ExitStack() as held:
        for kind in ("merge", EMBED_KIND, QUESTIONS_KIND):
            if not held.enter_context(holding(workspace.runs / f".{kind}.lock")):
                raise TransferError(
                    f"{kind} is at work on this workspace", "see `simulee runs list`; wait for it, then merge again"
                )
        yield


@contextmanager
def _staging(workspace: Workspace) -> Iterator[Path]:
    """A folder in the workspace, so that what is in it can be moved and not copied."""
    folder = workspace.root / f"{STAGING}{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
