"""TiddlyWiki: JSON (an array of tiddlers, one tiddler, or an object of tiddlers by title), ``.tid`` files, folders.

Beside its text as it reads, a document keeps the tiddler as it was written, so that it can go out again without loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from core.corpus.decoding import decode, storable, tidy_paragraphs
from core.corpus.identity import uid_of, unique
from core.corpus.json_values import load_json, text_field
from core.corpus.records import Document, DocumentKind, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.tiddlers import Fields, dump_fields, parted_tags, read_tid, reason_to_skip
from core.corpus.written_dates import span
from core.dates import DateSpan
from core.errors import ImportFailed

_STAMP = re.compile(r"^([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{4,9})?$")
_LINK = re.compile(r"\[\[(?P<words>[^\[\]|\n]+)(?:\|[^\[\]\n]+)?\]\]")
_BY_TITLE = re.compile(r'^\s*\{\s*"(?:[^"\\]|\\.){1,400}"\s*:\s*\{[^{}]*"(?:text|created|modified)"\s*:\s*"', re.DOTALL)
_HEADER = re.compile(r"\A\ufeff?(?:[^\s:#<{\[][^:\r\n]{0,100}:[^\r\n]*(?:\r?\n|\Z))+(?:\r?\n|\Z)")
_OWN_TITLE = re.compile(r"Journal ([0-9]{4}-[0-9]{2}-[0-9]{2}) [0-9]{2}:[0-9]{2}:[0-9]{2}")
"""How an entry that was written here is called. Its day is the writer's own; ``created`` is the same instant in UTC."""
_FIELDS = frozenset({"created", "modified", "tags", "type", "creator"})


class TiddlyWiki:
    """Reads tiddlers."""

    name = "tiddlywiki"
    library = "own"
    sniff_rule = "JSON tiddlers: title and text with created, modified or tags; .tid files, or a folder of them"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim JSON whose first object looks like a tiddler, the header of a ``.tid`` file, or a folder of them."""
        if probe.is_folder or probe.members:
            tids = sum(is_tid(name) for name in probe.members)
            return Match(0.9, f"{tids} .tid files") if 2 * tids > len(probe.members) else None
        keys = set(probe.json_keys)
        if {"title", "text"} <= keys:
            known = sorted(keys & _FIELDS)
            return Match(0.95 if known else 0.82, f"JSON with {', '.join(['title', 'text', *known])}")
        if _BY_TITLE.match(probe.text):
            return Match(0.85, "a JSON object of tiddlers by title")
        if "title" in keys and keys & {"created", "modified"}:
            return Match(0.85, "JSON with a title and TiddlyWiki's dates")
        return _sniff_header(probe)

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each tiddler of text; raises ``ImportFailed`` when the source holds no tiddlers."""
        return unique(_tiddlers(source, options))


def is_tid(name: str) -> bool:
    return name.lower().endswith(".tid")


def document_of(fields: Fields, kind: DocumentKind) -> Document | Issue:
    """The document that a tiddler is, or why it is none."""
    found = [each for each in _tiddler(fields, "tiddler", False, Options(kind=kind)) if isinstance(each, Document)]
    return found[0] if found else Issue(text_field(fields, "title"), reason_to_skip(fields) or "no text in it")


def _sniff_header(probe: Probe) -> Match | None:
    found = _HEADER.match(probe.text)
    if not found:
        return None
    keys = {line.partition(":")[0].strip() for line in found[0].splitlines()}
    known = sorted(keys & _FIELDS)
    if "title" not in keys or not (known or is_tid(probe.name)):
        return None
    return Match(0.95 if is_tid(probe.name) else 0.85, f"a .tid file with {', '.join(['title', *known])}")


def _tiddlers(source: SourceFile, options: Options) -> Iterator[Record]:
    named_journal = "journal" in source.name.casefold()
    members = source.members()
    if members:
        yield from _members(source, members, named_journal, options)
        return
    if is_tid(source.name) or _HEADER.match(source.read_text()):
        yield from _tiddler(_tid_fields(source.read_bytes(), source.name), source.name, named_journal, options)
        return
    yield from _from_json(source.read_text(), source.name, named_journal, options)


def _members(source: SourceFile, members: list[str], named_journal: bool, options: Options) -> Iterator[Record]:
    if not any(map(is_tid, members)) and not any(name.lower().endswith(".json") for name in members):
        raise ImportFailed(f"{source.name}: holds no tiddlers", "Name a folder of .tid files.")
    for name in members:
        try:
            if is_tid(name):
                fields = _tid_fields(source.member_bytes(name), name.rpartition("/")[2])
                yield from _tiddler(fields, name, named_journal, options)
            elif name.lower().endswith(".json"):
                yield from _from_json(source.member_text(name), name, named_journal, options)
            elif name.lower().endswith(".meta"):
                yield Issue(name, "its text is in a file of its own, skipped")
        except ImportFailed as error:
            yield Issue(name, error.message.removeprefix(f"{name}: "))


def _tid_fields(data: bytes, name: str) -> Fields:
    try:
        return read_tid(data, name)
    except ImportFailed:
        return read_tid(decode(data, name).encode("utf-8"), name)


def _from_json(text: str, name: str, named_journal: bool, options: Options) -> Iterator[Record]:
    value = load_json(text, name)
    if isinstance(value, dict):
        if isinstance(value.get("title"), str):
            value = [value]
        else:
            value = [{"title": title, **fields} for title, fields in value.items() if isinstance(fields, dict)]
    if not isinstance(value, list) or not any(isinstance(item, dict) for item in value):
        raise ImportFailed(f"{name}: holds no tiddlers", "Export them from TiddlyWiki as JSON.")
    for number, item in enumerate(value, start=1):
        if isinstance(item, dict):
            yield from _tiddler(item, f"tiddler {number}", named_journal, options)
        else:
            yield Issue(f"tiddler {number}", "not a tiddler, skipped")


def _tiddler(item: dict[str, Any], locator: str, named_journal: bool, options: Options) -> Iterator[Record]:
    title = text_field(item, "title").strip()
    reason = reason_to_skip(item)
    text = text_field(item, "text")
    if text_field(item, "type") != "text/plain":
        text = _LINK.sub(lambda found: found["words"], text)
    text = tidy_paragraphs(text)
    if reason or not text.strip():
        yield Issue(title or locator, f"{reason or 'no text in it'}, skipped", refused=False)
        return
    tags = tuple(storable(tag) for tag in parted_tags(item.get("tags")))
    tagged = "journal" in (tag.casefold() for tag in tags)
    date = _date(item, title if tagged else "")
    if not date.known and (text_field(item, "created") or text_field(item, "modified")):
        yield Issue(title or locator, "its dates are not TiddlyWiki's; kept undated", refused=False)
    journal = named_journal or tagged or title.casefold().startswith("journal")
    kind: DocumentKind = options.kind or ("journal" if journal else "writing")
    document = Document(
        uid=f"tiddlywiki:{title}" if title else uid_of("tiddlywiki", date.iso(), text),
        kind=kind,
        title=title,
        text=text,
        date=date,
        tags=tags,
    )
    yield replace(document, original=dump_fields(item))


def _date(item: dict[str, Any], own_title: str) -> DateSpan:
    own = _OWN_TITLE.fullmatch(own_title)
    if own:
        return DateSpan.parse(own[1])
    for key in ("created", "modified"):
        found = _STAMP.match(text_field(item, key).strip())
        if found:
            day = span(*(int(part) for part in found.groups()))
            if day.known:
                return day
    return DateSpan.unknown()
