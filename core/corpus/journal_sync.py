"""The journal and a folder of tiddlers, kept in step: what is new or changed on one side comes to the other.

A tiddler is known by its title. What both sides held when they were last the same is remembered, so that a change can
be told from a difference. Changed on both sides, both stay: the folder's words keep the title, and the entry here goes
on under another. Nothing is ever deleted, on neither side.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from core.corpus.document_rows import document_row
from core.corpus.importers.tiddlywiki import document_of, is_tid
from core.corpus.journal import begin_journal, finish_journal, journal_tiddlers, write_tiddler
from core.corpus.json_values import load_json
from core.corpus.opening import open_source
from core.corpus.records import Document, Issue, Use
from core.corpus.tiddlers import Fields, dump_fields, file_stem, read_tid, reason_to_skip
from core.dates import DateSpan
from core.errors import ImportFailed, UsageError
from core.store.documents import DocumentRow, document_hashes, put_document
from core.store.identity import content_uid
from core.store.tiddlers import put_tiddler, set_synced, synced_hashes
from core.workspace import Workspace

LOCK = ".journal-sync.lock"


@dataclass(slots=True)
class SyncReport:
    """What came to which side."""

    folder: str
    written: int = 0
    """Entries that are new or newer in the folder."""
    brought: int = 0
    """Tiddlers of the folder that are new here."""
    changed: int = 0
    """Entries here whose words or fields were changed in the folder."""
    conflicts: list[str] = field(default_factory=list)
    """Titles under which an entry goes on that was changed on both sides."""
    gone_there: int = 0
    """Entries that are no longer in the folder, and stay here."""
    gone_here: int = 0
    """Tiddlers that are no longer here, and stay in the folder."""
    issues: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _There:
    path: Path
    data: bytes
    fields: Fields


@dataclass(frozen=True, slots=True)
class _Here:
    row: DocumentRow
    fields: Fields


def sync_journal(workspace: Workspace, folder: Path, now: datetime | None = None) -> SyncReport:
    """Bring the journal and a folder in step. Killed at any moment, the next one goes on.

    Raises UsageError for a folder that is not there or cannot be read; then nothing has changed.
    """
    folder = check_folder(folder)
    report = SyncReport(os.fsencode(folder).decode("utf-8", "replace"))
    with _alone(workspace.root):
        there, stems = _read_folder(folder, report)
        here: dict[str, _Here] = {}
        for row, fields in journal_tiddlers(workspace):
            title = str(fields.get("title", ""))
            if title in here:
                report.issues.append(_issue(title, "another entry has this title: only the first is in the folder"))
            elif title and not reason_to_skip(fields):
                here[title] = _Here(row, fields)
        taking = _Taking(workspace, report, (now or datetime.now()).astimezone(), here.keys() | there.keys())
        taking.all(here, there)
        _write_out(workspace, folder, report, taking.outgoing, there, stems)
    return report


def check_folder(folder: Path) -> Path:
    """The folder, absolute. Raises UsageError where there is none."""
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"the journal's folder {folder} is not there", "make it or mount it: entries here are safe")
    return folder


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One sync at a time; a second one waits its turn."""
    lock = os.open(root / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read_folder(folder: Path, report: SyncReport) -> tuple[dict[str, _There], set[str]]:
    """The tiddlers of text in a folder by title, and every stem that is taken there."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from None
    found: dict[str, _There] = {}
    for name in names:
        path = folder / name
        if name.startswith(".") or path.suffix.lower() not in (".tid", ".json") or path.is_symlink():
            continue
        try:
            data = open_source(path).read_bytes()
            fields = _fields_in(data, name)
        except ImportFailed as error:
            report.issues.append(_issue(name, error.message.removeprefix(f"{name}: ")))
            continue
        title = str(fields.get("title", ""))
        if reason_to_skip(fields):
            continue
        if title in found:
            report.issues.append(_issue(name, f"has the title of {found[title].path.name}, passed over"))
        else:
            found[title] = _There(path, data, fields)
    return found, {Path(name).stem.casefold() for name in names}


def _fields_in(data: bytes, name: str) -> Fields:
    if is_tid(name):
        return read_tid(data, name)
    try:
        value = load_json(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError:
        raise ImportFailed(f"{name}: not UTF-8") from None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or not isinstance(value.get("title"), str):
        raise ImportFailed(f"{name}: not one tiddler: simulee journal --import brings in several")
    return value


class _Taking:
    """Stores what came from the folder, in one transaction, and gathers what is to be written there, by title."""

    def __init__(self, workspace: Workspace, report: SyncReport, now: datetime, titles: set[str]) -> None:
        self._workspace = workspace
        self._report = report
        self._now = now
        self._titles = titles
        self._source: tuple[int, Use] | None = None
        self._uids: set[str] = set()
        self._alike: list[tuple[str, str]] = []
        self.outgoing: dict[str, Fields] = {}

    def all(self, here: dict[str, _Here], there: dict[str, _There]) -> None:
        """Settle every title."""
        database = self._workspace.database
        with database.write():
            base = synced_hashes(database, self._report.folder)
            for title in sorted(self._titles):
                mine, theirs = here.get(title), there.get(title)
                if theirs is None:
                    assert mine is not None
                    self._only_here(title, mine, title in base)
                elif mine is None:
                    self._only_there(title, theirs, base.get(title))
                else:
                    self._both(title, mine, theirs, base.get(title))
            set_synced(database, self._report.folder, self._alike)
            if self._source is not None:
                finish_journal(self._workspace, *self._source)

    def _only_here(self, title: str, mine: _Here, was_there: bool) -> None:
        if was_there:
            self._report.gone_there += 1
        else:
            self.outgoing[title] = mine.fields

    def _only_there(self, title: str, theirs: _There, before: str | None) -> None:
        if _hash(theirs.fields) == before:
            self._report.gone_here += 1
        elif (document := self._document(theirs)) is not None:
            self._put(document)
            self._report.brought += 1
            self._alike.append((title, _hash(theirs.fields)))

    def _both(self, title: str, mine: _Here, theirs: _There, before: str | None) -> None:
        here, there = _hash(mine.fields), _hash(theirs.fields)
        if here == there:
            if before != here:
                self._alike.append((title, here))
            return
        if there == before:
            self.outgoing[title] = mine.fields
            return
        document = self._document(theirs)
        if document is None:
            return
        if here == before:
            self._replace(mine, document)
            self._report.changed += 1
        else:
            self._move_aside(mine)
            self._put(document)
        self._alike.append((title, there))

    def _document(self, theirs: _There) -> Document | None:
        document = document_of(theirs.fields, "journal")
        if isinstance(document, Issue):
            self._report.issues.append(_issue(theirs.path.name, document.reason))
            return None
        return document

    def _journal(self) -> int:
        """The journal's source, opened at the first entry that comes."""
        if self._source is None:
            self._source = begin_journal(self._workspace, self._now)
            self._uids = set(document_hashes(self._workspace.database, self._source[0]))
        return self._source[0]

    def _put(self, document: Document) -> None:
        """Store a tiddler of the folder as a new entry of the journal."""
        source_id = self._journal()
        uid, number = document.uid, 1
        while uid in self._uids:
            number += 1
            uid = f"{document.uid}#{number}"
        self._uids.add(uid)
        put_document(self._workspace.database, document_row(replace(document, uid=uid), source_id, len(self._uids)))
        put_tiddler(self._workspace.database, source_id, uid, document.original)

    def _replace(self, mine: _Here, document: Document) -> None:
        """Give an entry the words and fields of a tiddler; it stays the document that it is."""
        self._journal()
        row = document_row(replace(document, uid=mine.row.uid), mine.row.source_id, mine.row.position)
        put_document(self._workspace.database, row)
        put_tiddler(self._workspace.database, mine.row.source_id, mine.row.uid, document.original)

    def _move_aside(self, mine: _Here) -> None:
        """Let an entry go on under another title, with its day and its memories."""
        stem = f"{mine.fields['title']} (conflict {self._now.strftime('%Y-%m-%d %H.%M.%S')})"
        title, number = stem, 1
        while title in self._titles or title in self.outgoing:
            number += 1
            title = f"{stem} {number}"
        fields = {**mine.fields, "title": title}
        moved = document_of(fields, "journal")
        assert isinstance(moved, Document)
        self._replace(mine, replace(moved, date=DateSpan.parse(mine.row.date)))
        self.outgoing[title] = fields
        self._report.conflicts.append(title)


def _write_out(
    workspace: Workspace,
    folder: Path,
    report: SyncReport,
    outgoing: dict[str, Fields],
    there: dict[str, _There],
    stems: set[str],
) -> None:
    """Write entries into the folder, each whole or not at all, and remember each as soon as it is there."""
    for title, fields in outgoing.items():
        known = there.get(title)
        try:
            if known is not None and known.path.read_bytes() != known.data:
                continue  # Somebody is writing it at this moment: the next time tells whose words are newer.
            stem = known.path.stem if known else file_stem(title, stems)
            if known is None and any((folder / f"{stem}{suffix}").exists() for suffix in (".tid", ".json")):
                continue
            written = write_tiddler(folder, stem, fields)
            if known is not None and written != known.path:
                known.path.unlink(missing_ok=True)
        except OSError as error:
            report.issues.append(_issue(title, f"cannot be written to the folder: {error.strerror}"))
            continue
        stems.add(stem.casefold())
        with workspace.database.write():
            set_synced(workspace.database, report.folder, [(title, _hash(fields))])
        report.written += 1


def _hash(fields: Fields) -> str:
    return content_uid("tiddler", dump_fields(dict(sorted(fields.items()))))


def _issue(locator: str, reason: str) -> dict[str, str]:
    return {"locator": locator, "reason": reason}
