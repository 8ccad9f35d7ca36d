"""Runs that travel: what was asked, what happened, how it ended; and what another machine's run is called here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.atomic import write_atomically
from core.errors import RunError, SimuleeError, TransferError
from core.runs.journal import (
    BROUGHT,
    EVENTS,
    FINISHED,
    MERGED,
    Run,
    is_alive,
    list_runs,
    load_run,
    read_events,
)
from core.runs.worker import WAITED_FOR
from core.store.identity import content_uid
from core.store.scorecards import ELSEWHERE
from core.training.checkpoints import BEST, WELL, by_step, is_whole
from core.training.hosted.record import FILE as RECORD
from core.training.hosted.record import joined, read_record, write_record
from core.training.retriever.launch import EXAMPLES, RETRIEVER_KIND
from core.training.sparing import FILE as SPARED
from core.training.sparing import spared
from core.transfer.manifest import HINT, is_member

REQUEST, STATE = "run.json", "state.json"
FILES = (REQUEST, STATE, EVENTS, RECORD)
CHECKPOINTS = "checkpoints"
KEPT = (BEST, WELL)
"""Weights beside the checkpoints that a run may end with."""
TO_GO_ON = (SPARED, EXAMPLES)
"""Beside its log: what a run goes on with, as it began."""


@dataclass(slots=True)
class PackedRuns:
    """What of a workspace's runs goes into a pack."""

    members: list[tuple[str, Path]] = field(default_factory=list)
    identities: dict[str, str] = field(default_factory=dict)
    """Of every run, by id."""
    carried: int = 0
    running: list[str] = field(default_factory=list)
    """Left out, since they are at work."""


def runs_to_pack(runs: Path, checkpoints: bool) -> PackedRuns:
    """Finished runs, and those that may have a job at a host; with ``checkpoints`` other unfinished ones too, and what
    each goes on with: its newest whole checkpoint, and the weights that it may end with."""
    packed = PackedRuns()
    for run in list_runs(runs):
        packed.identities[run.id] = identity(run)
        if run.state == "running":
            packed.running.append(run.id)
            continue
        if run.kind in WAITED_FOR or not is_member(f"runs/{run.id}/{REQUEST}"):
            continue
        sealed = _newest_whole(run.folder / CHECKPOINTS) if checkpoints else None
        wanted = run.state in FINISHED or sealed is not None or (run.folder / RECORD).is_file()
        if not wanted or not _is_sound(run):
            continue
        names = (*FILES, *(TO_GO_ON if checkpoints else ()))
        files = [run.folder / name for name in names if (run.folder / name).is_file()]
        for folder in _with_kept(sealed) if sealed else ():
            files += sorted(path for path in folder.rglob("*") if path.is_file())
        packed.members += [(_member(run, path), path) for path in files if is_member(_member(run, path))]
        packed.carried += 1
    return packed


def identity(run: Run) -> str:
    """The same for a run on every machine, whatever it is called there."""
    return content_uid("run", run.kind, run.entry, run.params, run.created)


def _member(run: Run, path: Path) -> str:
    return f"runs/{run.id}/{path.relative_to(run.folder).as_posix()}"


def _newest_whole(checkpoints: Path) -> Path | None:
    return next((path for _, path in reversed(by_step(checkpoints)) if is_whole(path)), None)


def _with_kept(sealed: Path) -> list[Path]:
    return [sealed, *(path for name in KEPT if is_whole(path := sealed.with_name(name)))]


def is_to_go_on(member: str) -> bool:
    """Whether a file of a pack is of use only where a run is resumed."""
    parts = member.split("/")
    return parts[0] == "runs" and (CHECKPOINTS in parts or parts[-1] in TO_GO_ON)


def check_run(folder: Path, identities: Mapping[str, str]) -> Run:
    """A run that came in a pack, as a stranger could have sent it. Raises TransferError."""
    try:
        run = load_run(folder.parent, folder.name)
        sound = _is_sound(run) and folder.name.startswith(f"{run.kind}-") and identities.get(run.id) == identity(run)
    except (SimuleeError, ValueError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise TransferError(f"the pack's run {folder.name} cannot be read", HINT)
    return run


def _is_sound(run: Run) -> bool:
    """Whether all that it left can be read: every line of its log, its job at a host, what was changed of it, and its
    end where it has one."""
    try:
        read_record(run.folder)
        changed = spared(run.folder)
    except (RunError, ValueError, RecursionError):
        return False
    if not isinstance(changed, dict):
        return False
    log, (events, _) = run.folder / EVENTS, read_events(run.folder)
    lines = log.read_bytes().count(b"\n") if log.exists() else 0
    return len(events) == lines and (run.state in FINISHED) == (run.folder / STATE).is_file()


def mark_brought(folder: Path, **more: str | bool) -> None:
    """Say in a run's request that another machine did it: what it took tells nothing of this one."""
    request = json.loads((folder / REQUEST).read_text("utf-8"))
    write_atomically(folder / REQUEST, json.dumps(request | {BROUGHT: True} | more))


class BroughtRuns:
    """Their runs beside ours. Folders are moved in one by one, and out again by ``take_back``."""

    def __init__(self, runs: Path, staged: Path, identities: Mapping[str, str]) -> None:
        """``staged`` holds the folders that came, ``identities`` tells each of their runs'. Raises TransferError."""
        self._runs = runs
        self._here = {identity(run): run for run in list_runs(runs)}
        self._ids = {their: self._here[each].id for their, each in identities.items() if each in self._here}
        self._moved: list[Path] = []
        self._ended: list[tuple[Path, Run]] = []
        self._watched: list[tuple[Path, Run]] = []
        """Begun here too, with what is known of their jobs there."""
        self._staged = [
            check_run(path, identities)
            for path in sorted(staged.glob("*"))
            if any((path / name).is_file() for name in (STATE, RECORD))
        ]

    def bring(self, taken: Collection[str]) -> int:
        """Move in what is not here, under a free number where its own is a run's or is ``taken``. Returns how many."""
        for run in self._staged:
            own = self._here.get(identity(run))
            if own is None:
                self._ids[run.id] = self._move(run, taken)
                continue
            self._watched.append((run.folder, own))
            if own.state != "done" and run.state == "done":
                self._ended.append((run.folder, own))
        return len(self._moved)

    def name_made(self, adapters: Mapping[str, str], retrievers: Mapping[str, str]) -> None:
        """Say in what came of their runs what the adapter is called here; each maps their names to those here."""
        for folder in (*self._moved, *(staged for staged, _ in self._ended)):
            run = load_run(folder.parent, folder.name)
            their = run.result.get("adapter")
            if not isinstance(their, str) or their.endswith(ELSEWHERE):
                continue
            here = (retrievers if run.kind == RETRIEVER_KIND else adapters).get(their, their + ELSEWHERE)
            if here != their:
                state = {"state": run.state, "result": run.result | {"adapter": here}}
                write_atomically(folder / STATE, json.dumps(state))

    @property
    def ending(self) -> int:
        """How many runs that were begun here have ended there."""
        return len(self._ended)

    def finish(self) -> int:
        """Let runs that were begun here and done there end here too. Returns how many; the rest do in a later merge.

        Of the others, what is known there of their jobs at a host is known here then.
        """
        for staged, own in self._watched:
            if not is_alive(own.folder):  # It watches, and writes its own.
                with suppress(OSError, RunError):
                    self._take_record(staged, own)
        ended = 0
        for staged, own in self._ended:
            if not is_alive(own.folder):
                try:
                    for name in (EVENTS, STATE):
                        write_atomically(own.folder / name, (staged / name).read_text("utf-8"))
                    mark_brought(own.folder)
                except OSError:  # The rest of the merge stands.
                    continue
                ended += 1
        return ended

    def _take_record(self, staged: Path, own: Run) -> None:
        known = read_record(own.folder)
        told = joined(known, read_record(staged))
        if told is not None and told != known:
            write_record(own.folder, told)

    def take_back(self) -> None:
        for folder in self._moved:
            shutil.rmtree(folder, ignore_errors=True)

    def known(self, their_id: str) -> str | None:
        """What one of their runs is called here, or None when it did not come."""
        return self._ids.get(their_id)

    def in_ledger(self, their_id: str) -> str:
        """The same for the ledger: a run that did not come can never be mistaken for one of ours."""
        if their_id in self._ids or not their_id or their_id.endswith(ELSEWHERE):
            return self._ids.get(their_id, their_id)
        return their_id + ELSEWHERE

    def _move(self, run: Run, taken: Collection[str]) -> str:
        number = int(run.id.rpartition("-")[2])
        while True:
            folder = self._runs / f"{run.kind}-{number}"
            try:
                if folder.name not in taken:
                    folder.mkdir(mode=0o700)  # Before anything is moved: another process may want the number too.
                    break
            except FileExistsError:
                pass
            number += 1
        record = read_record(run.folder)
        if record is not None:
            write_record(run.folder, record.model_copy(update={"row": 0}))
        mark_brought(run.folder, **{MERGED: True}, **({"was": run.id} if folder.name != run.id else {}))
        self._moved.append(folder)
        run.folder.replace(folder)
        return folder.name
