"""TiddlyWiki's JSON export: an array of tiddlers, one tiddler, or an object of tiddlers by title."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.corpus.decoding import storable, tidy_paragraphs
from core.corpus.identity import uid_of, unique
from core.corpus.json_values import load_json, text_field
from core.corpus.records import Document, DocumentKind, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.written_dates import span
from core.dates import DateSpan
from core.errors import ImportFailed

_STAMP = re.compile(r"^([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{4,9})?$")
_TAG = re.compile(r"\[\[([^\]]+)\]\]|(\S+)")
_LINK = re.compile(r"\[\[(?P<words>[^\[\]|\n]+)(?:\|[^\[\]\n]+)?\]\]")
_BY_TITLE = re.compile(r'^\s*\{\s*"(?:[^"\\]|\\.){1,400}"\s*:\s*\{[^{}]*"(?:text|created|modified)"\s*:\s*"', re.DOTALL)
_TEXT_TYPES = ("", "text/vnd.tiddlywiki", "text/plain", "text/markdown", "text/x-markdown")
_FIELDS = frozenset({"created", "modified", "tags", "type", "creator"})


class TiddlyWiki:
    """Reads tiddlers."""

    name = "tiddlywiki"
    library = "own"
    sniff_rule = "JSON tiddlers: title and text with created, modified or tags"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim JSON whose first object looks like a tiddler."""
        keys = set(probe.json_keys)
        if {"title", "text"} <= keys:
            known = sorted(keys & _FIELDS)
            return Match(0.95 if known else 0.82, f"JSON with {', '.join(['title', 'text', *known])}")
        if _BY_TITLE.match(probe.text):
            return Match(0.85, "a JSON object of tiddlers by title")
        if "title" in keys and keys & {"created", "modified"}:
            return Match(0.85, "JSON with a title and TiddlyWiki's dates")
        return None

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each tiddler of text; raises ``ImportFailed`` when the file holds no tiddlers."""
        return unique(_tiddlers(source, options))


def _tiddlers(source: SourceFile, options: Options) -> Iterator[Record]:
    value = load_json(source.read_text(), source.name)
    if isinstance(value, dict):
        if isinstance(value.get("title"), str):
            value = [value]
        else:
            value = [{"title": title, **fields} for title, fields in value.items() if isinstance(fields, dict)]
    if not isinstance(value, list) or not any(isinstance(item, dict) for item in value):
        raise ImportFailed(f"{source.name}: holds no tiddlers", "Export them from TiddlyWiki as JSON.")
    named_journal = "journal" in source.name.casefold()
    for number, item in enumerate(value, start=1):
        if isinstance(item, dict):
            yield from _tiddler(item, f"tiddler {number}", named_journal, options)
        else:
            yield Issue(f"tiddler {number}", "not a tiddler, skipped")


def _tiddler(item: dict[str, Any], locator: str, named_journal: bool, options: Options) -> Iterator[Record]:
    title = text_field(item, "title").strip()
    reason = _skipped(item, title)
    text = text_field(item, "text")
    if text_field(item, "type") != "text/plain":
        text = _LINK.sub(lambda found: found["words"], text)
    text = tidy_paragraphs(text)
    if reason or not text:
        yield Issue(title or locator, f"{reason or 'no text in it'}, skipped")
        return
    tags = _tags(item.get("tags"))
    date = _date(item)
    if not date.known and (text_field(item, "created") or text_field(item, "modified")):
        yield Issue(title or locator, "its dates are not TiddlyWiki's; kept undated")
    journal = named_journal or "journal" in (tag.casefold() for tag in tags) or title.casefold().startswith("journal")
    kind: DocumentKind = options.kind or ("journal" if journal else "writing")
    yield Document(
        uid=f"tiddlywiki:{title}" if title else uid_of("tiddlywiki", date.iso(), text),
        kind=kind,
        title=title,
        text=text,
        date=date,
        tags=tags,
    )


def _skipped(item: dict[str, Any], title: str) -> str:
    if title.startswith("$:/"):
        return "system tiddler"
    if "draft.of" in item:
        return "draft"
    if "plugin-type" in item:
        return "plugin"
    kind = text_field(item, "type")
    return "" if kind in _TEXT_TYPES else f"{kind[:40]}, not text"


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(storable(tag) for tag in value if isinstance(tag, str) and tag)
    if isinstance(value, str):
        return tuple(storable(several or single) for several, single in _TAG.findall(value))
    return ()


def _date(item: dict[str, Any]) -> DateSpan:
    for key in ("created", "modified"):
        found = _STAMP.match(text_field(item, key).strip())
        if found:
            day = span(*(int(part) for part in found.groups()))
            if day.known:
                return day
    return DateSpan.unknown()
