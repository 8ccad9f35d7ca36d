"""The journal that is kept here: entries saved one by one as documents of one source, a draft, and TiddlyWiki's JSON.

What is written out comes in again as the very same documents, so that nothing is stored twice.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from core.atomic import write_atomically
from core.corpus.decoding import storable, tidy_paragraphs
from core.corpus.importing import document_row
from core.corpus.records import Document, Use
from core.dates import DateSpan
from core.errors import UsageError
from core.store.documents import DocumentRow, documents_of_kind, documents_of_source, put_document
from core.store.identity import content_uid
from core.store.sources import begin_source, find_source, finish_source
from core.workspace import Workspace

LOCATION = "journal"
"""What the source of entries that were written here is called; no import has a location without a slash."""
FORMAT = "journal"
TAG = "Journal"
DRAFT_FILE = "journal-draft.txt"
_STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Saved:
    """An entry as it was stored."""

    id: int
    date: str
    words: int


def save_entry(workspace: Workspace, text: str, moment: datetime | None = None) -> Saved:
    """Store an entry, dated now, and forget the draft. Raises UsageError when there is nothing in it."""
    text = tidy_paragraphs(storable(text))
    if not text.strip():
        raise UsageError("the entry is empty", "write something first")
    database, uid = workspace.database, content_uid("source", LOCATION)
    moment = (moment or datetime.now().astimezone()).replace(microsecond=0)
    with database.write():
        known = find_source(database, uid)
        chosen = cast(Use, known.use) if known and known.use_chosen else None
        use = chosen or workspace.settings.privacy.journal
        at = moment.isoformat(timespec="seconds")
        source_id = begin_source(database, uid, LOCATION, FORMAT, use, chosen is not None, at)
        entries = documents_of_source(database, source_id)
        taken = {entry.uid for entry in entries}
        while _uid(moment) in taken:
            moment += timedelta(seconds=1)
        title = f"{TAG} {moment.strftime(_STAMP)}"
        entry = Document(_uid(moment), "journal", title, text, DateSpan.of_day(moment), tags=(TAG,))
        row = document_row(entry, source_id, len(entries) + 1)
        put_document(database, row)
        hashes = sorted([*(each.content_hash for each in entries), row.content_hash])
        finish_source(database, source_id, content_uid("content", hashes), use)
        stored = documents_of_source(database, source_id)[-1]
    Draft(workspace.root).keep("")
    return Saved(stored.id, row.date, len(text.split()))


def _uid(moment: datetime) -> str:
    return f"{FORMAT}:{moment.strftime(_STAMP)}"


class Draft:
    """The page that was not saved yet, in a file of the workspace, mode 0600. Any thread may write it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path = root / DRAFT_FILE
        self._lock = threading.Lock()
        self._written: str | None = None
        self.text = ""

    def read(self, workspace: Workspace) -> str:
        """What was on the page; empty when that is what was saved last, before a kill could clear it."""
        try:
            text = self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        source = find_source(workspace.database, content_uid("source", LOCATION))
        entries = documents_of_source(workspace.database, source.id) if source else []
        if entries and entries[-1].text == tidy_paragraphs(storable(text)):
            self.keep("")
            return ""
        self.text = self._written = text
        return text

    def keep(self, text: str) -> None:
        """Take the page as it is now, and write it."""
        self.text = text
        self.write()

    def write(self) -> None:
        """Write the newest ``text``, whoever set it; an empty page has no file."""
        with self._lock:
            text = self.text
            if text == self._written:
                return
            if text.strip():
                write_atomically(self._path, storable(text))
            else:
                self._path.unlink(missing_ok=True)
            self._written = text


def export_journal(workspace: Workspace, path: Path) -> int:
    """Write every journal entry, imported ones too, as TiddlyWiki's JSON, mode 0600. Returns how many."""
    entries = documents_of_kind(workspace.database, "journal")
    write_atomically(path, json.dumps([_tiddler(entry) for entry in entries], ensure_ascii=False, indent=2) + "\n")
    return len(entries)


def _tiddler(entry: DocumentRow) -> dict[str, str]:
    tiddler = {
        "title": entry.title,
        "text": entry.text,
        "tags": " ".join(f"[[{tag}]]" if " " in tag else tag for tag in entry.tags),
        "type": "text/plain",
    }
    if entry.date:
        day = DateSpan.parse(entry.date)
        written = DateSpan(day.first, day.first, "day").iso().replace("-", "")
        clock = "".join(entry.uid.rpartition(" ")[2].split(":")) if entry.uid.startswith(f"{FORMAT}:") else "000000"
        tiddler["created"] = f"{written}{clock}000"
    return tiddler
