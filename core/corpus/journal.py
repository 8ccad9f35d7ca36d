"""The journal that is kept here: entries saved one by one as documents of one source, and TiddlyWiki's formats out.

What is written out comes in again as the very same documents, so that nothing is stored twice; and an entry that came
in as a tiddler goes out with every field that it had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from core.atomic import write_atomically
from core.corpus.decoding import storable, tidy_paragraphs
from core.corpus.document_rows import document_row
from core.corpus.drafts import DRAFT_FILE, Draft
from core.corpus.records import Document, Use
from core.corpus.tiddlers import Fields, dump_fields, file_stem, joined_tags, load_fields, write_tid
from core.dates import DateSpan
from core.errors import UsageError
from core.store.documents import (
    DocumentRow,
    document_hashes,
    document_id,
    documents_of_kind,
    newest_text,
    put_document,
)
from core.store.identity import content_uid
from core.store.sources import begin_source, find_source, finish_source
from core.store.tiddlers import put_tiddler, tiddlers_of_kind
from core.workspace import Workspace

__all__ = ["DRAFT_FILE", "Draft", "Saved", "export_journal", "left_draft", "save_entry"]

LOCATION = "journal"
"""What the source of entries that were written here is called; no import has a location without a slash."""
FORMAT = "journal"
TAG = "Journal"
_STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Saved:
    """An entry as it was stored."""

    id: int
    date: str
    words: int


def save_entry(workspace: Workspace, text: str, moment: datetime | None = None) -> Saved:
    """Store an entry, dated now. Raises UsageError when there is nothing in it."""
    text = _tidied(text)
    if not text.strip():
        raise UsageError("the entry is empty", "write something first")
    database = workspace.database
    instant = (moment or datetime.now()).astimezone()
    with database.write():
        source_id, use = begin_journal(workspace, instant)
        known = document_hashes(database, source_id)
        moment = instant.replace(microsecond=0)
        while _uid(moment) in known:
            moment += timedelta(seconds=1)
        title = f"{TAG} {moment.strftime(_STAMP)}"
        entry = Document(_uid(moment), "journal", title, text, DateSpan.of_day(moment), tags=(TAG,))
        row = document_row(entry, source_id, len(known) + 1)
        put_document(database, row)
        stamp = stamp_of(instant)
        fields = {"created": stamp, "modified": stamp, "tags": TAG, "text": text, "title": title, "type": "text/plain"}
        put_tiddler(database, source_id, entry.uid, dump_fields(fields))
        finish_journal(workspace, source_id, use)
        stored = document_id(database, source_id, entry.uid)
    return Saved(stored, row.date, len(text.split()))


def _tidied(text: str) -> str:
    """A page as an entry holds it."""
    return tidy_paragraphs(storable(text.replace("\r\n", "\n").replace("\r", "\n")))


def begin_journal(workspace: Workspace, at: datetime) -> tuple[int, Use]:
    """Open the journal's source: its id, and what its words are for. The caller holds the transaction."""
    uid = content_uid("source", LOCATION)
    known = find_source(workspace.database, uid)
    chosen = cast(Use, known.use) if known and known.use_chosen else None
    use = chosen or workspace.settings.privacy.journal
    written = at.isoformat(timespec="seconds")
    return begin_source(workspace.database, uid, LOCATION, FORMAT, use, chosen is not None, written), use


def finish_journal(workspace: Workspace, source_id: int, use: Use) -> None:
    """The journal's source is whole again."""
    hashes = sorted(document_hashes(workspace.database, source_id).values())
    finish_source(workspace.database, source_id, content_uid("content", hashes), use)


def stamp_of(instant: datetime) -> str:
    """An instant as TiddlyWiki writes it: UTC to the millisecond, seventeen digits."""
    return instant.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")[:17]


def _uid(moment: datetime) -> str:
    return f"{FORMAT}:{moment.strftime(_STAMP)}"


def left_draft(draft: Draft, workspace: Workspace) -> str:
    """What was on the page; empty when that is what was saved last, before a kill could clear it."""
    text = draft.peek()
    if not text:
        return ""
    source = find_source(workspace.database, content_uid("source", LOCATION))
    if source and newest_text(workspace.database, source.id) == _tidied(text):
        draft.keep("")
        return ""
    return text


def export_journal(workspace: Workspace, path: Path) -> int:
    """Write every journal entry, imported ones too, mode 0600. Returns how many.

    Into a folder that is there and empty they go as ``.tid`` files, else into one file of TiddlyWiki's JSON. Raises
    UsageError for a folder that holds something.
    """
    entries = [fields for _, fields in journal_tiddlers(workspace)]
    if not path.is_dir():
        write_atomically(path, json_of(entries))
        return len(entries)
    if any(path.iterdir()):
        raise UsageError(f"{path} is not empty", "name an empty folder; --sync keeps one in step with the journal")
    taken: set[str] = set()
    for fields in entries:
        stem = file_stem(str(fields.get("title", "")), taken)
        taken.add(stem.casefold())
        write_tiddler(path, stem, fields)
    return len(entries)


def journal_tiddlers(workspace: Workspace) -> list[tuple[DocumentRow, Fields]]:
    """Every journal entry with its fields, oldest first, undated ones at the end."""
    stored = tiddlers_of_kind(workspace.database, "journal")
    return [
        (entry, load_fields(stored[entry.id]) if entry.id in stored else _fields_of(entry))
        for entry in documents_of_kind(workspace.database, "journal")
    ]


def json_of(tiddlers: list[Fields]) -> str:
    """TiddlyWiki's JSON; half a surrogate pair, which UTF-8 cannot hold, stays escaped."""
    try:
        (text := json.dumps(tiddlers, ensure_ascii=False, indent=2)).encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(tiddlers, indent=2)
    return text + "\n"


def write_tiddler(folder: Path, stem: str, fields: Mapping[str, object]) -> Path:
    """Write one tiddler into a folder, whole or not at all: a ``.tid`` file, or JSON where that cannot hold it."""
    written = write_tid(fields)
    path = folder / f"{stem}.json" if written is None else folder / f"{stem}.tid"
    write_atomically(path, json_of([dict(fields)]) if written is None else written)
    return path


def _fields_of(entry: DocumentRow) -> Fields:
    """The tiddler that an entry makes which never was one, or was stored before tiddlers were kept."""
    tiddler = {"title": entry.title, "text": entry.text, "tags": joined_tags(entry.tags), "type": "text/plain"}
    if entry.date:
        day = DateSpan.parse(entry.date)
        written = DateSpan(day.first, day.first, "day").iso().replace("-", "")
        clock = "".join(entry.uid.rpartition(" ")[2].split(":")) if entry.uid.startswith(f"{FORMAT}:") else "000000"
        tiddler["created"] = f"{written}{clock}000"
    return tiddler
