"""RSS and Atom feeds saved to a file: one document an entry, the full content before the summary.

WordPress exports a whole site as such a feed. Only its published posts are the author's public writing; pages, menus
and what belongs to the theme are left out, and drafts come along, as private, when the user asks for private things.
"""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import feedparser

from core.corpus.decoding import sample, storable, tidy_paragraphs
from core.corpus.identity import uid_of, unique
from core.corpus.markup import plain_text
from core.corpus.records import Document, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.written_dates import span
from core.dates import DateSpan
from core.errors import ImportFailed

_FEED = re.compile(
    rb"<(?:\w+:)?(?:rss\b|feed\b[^>]*xmlns|RDF\b[^>]*(?:purl\.org/rss|my\.netscape\.com))", re.IGNORECASE
)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_PUBLISHED = "publish"
_UNPUBLISHED = frozenset({"draft", "pending", "future", "private"})
_KINDS_NAMED = 6
_TEASER = re.compile(r"(?:\[(?:…|\.\.\.|&hellip;)\]|read more\W*|continue reading\W*)$", re.IGNORECASE)


class Feed:
    """Reads a saved feed."""

    name = "feed"
    library = "feedparser"
    sniff_rule = "XML with an <rss>, <feed> or RSS 1.0 <rdf:RDF> root"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim XML whose root is a feed."""
        head = probe.head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"<") and _FEED.search(head[:4096]):
            return Match(0.97, "the root element of a feed")
        return None

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each entry; raises ``ImportFailed`` when the file holds no feed."""
        return unique(_entries(source, options))


def _entries(source: SourceFile, options: Options) -> Iterator[Record]:
    data = source.read_bytes()
    if _ENTITY.search(data):
        raise ImportFailed(f"{source.name}: refused: it declares XML entities", "Save the feed again from its address.")
    try:
        # A file object: given bytes, feedparser would first try to open a file of that name.
        parsed = feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:
        # feedparser lets the exceptions of half a dozen parsers through on hostile input.
        raise ImportFailed(f"{source.name}: not a readable feed: {type(error).__name__}", "Save it again.") from error
    entries = parsed["entries"]
    if not entries and not parsed.get("version"):
        raise ImportFailed(f"{source.name}: no feed in it", "Save the feed itself, not the page that links to it.")
    language = _field(parsed["feed"], "language")
    left_out: Counter[str] = Counter()
    for number, entry in enumerate(entries, start=1):
        reason = _reason_against(entry, options)
        if reason:
            left_out[reason] += 1
        else:
            yield from _entry(f"entry {number}", entry, language, options)
    if left_out:
        named = [f"{count:,} {reason}" for reason, count in left_out.most_common(_KINDS_NAMED)]
        others = left_out.total() - sum(count for _, count in left_out.most_common(_KINDS_NAMED))
        listed = ", ".join([*named, f"{others:,} others"] if others else named)
        yield Issue(source.name, f"no published posts, left out: {listed}", refused=False)
    if parsed.get("bozo") and not entries:
        yield Issue(source.name, "the feed is damaged and holds no entry")


def _reason_against(entry: Any, options: Options) -> str:
    """Why an entry of a WordPress export is left out: its type or status; empty where it is not."""
    kind, status = _field(entry, "wp_post_type"), _status(entry)
    if kind not in ("", "post"):
        return sample(kind, 30)
    if status == _PUBLISHED or (status in _UNPUBLISHED and options.include_private):
        return ""
    return sample(status, 30)


def _status(entry: Any) -> str:
    """WordPress's status of an entry; a post behind a password is not public, and a feed holds what is published."""
    return "private" if _field(entry, "wp_post_password") else _field(entry, "wp_status") or _PUBLISHED


def _entry(locator: str, entry: Any, language: str, options: Options) -> Iterator[Record]:
    title = " ".join(plain_text(_field(entry, "title")).split())
    where = title or locator
    text, whole = _text(entry)
    if not text:
        yield Issue(where, "no text in it, skipped", refused=False)
        return
    if not whole and _TEASER.search(text):
        yield Issue(where, "only a teaser in the feed; the whole text is on its page", refused=False)
    date = _date(entry)
    if not date.known:
        yield Issue(where, "no readable date; kept undated", refused=False)
    link = _field(entry, "link")
    native = _field(entry, "id") or link
    yield Document(
        uid=uid_of("feed", native) if native else uid_of("feed", title, date.iso(), text),
        kind=options.kind or "writing",
        title=title,
        text=text,
        date=date,
        link=link,
        language=language,
        tags=_tags(entry),
        visibility="public" if _status(entry) == _PUBLISHED else "private",
    )


def _text(entry: Any) -> tuple[str, bool]:
    """The longest content of an entry, else its summary; and whether it was content."""
    contents = entry.get("content", [])
    texts = [_plain(part) for part in contents if isinstance(part, dict)]
    longest = max(texts, key=len, default="")
    if longest:
        return longest, True
    detail = entry.get("summary_detail")
    if isinstance(detail, dict):
        return _plain(detail), False
    return plain_text(_field(entry, "summary")), False


def _plain(part: dict[str, Any]) -> str:
    value = part.get("value")
    if not isinstance(value, str):
        return ""
    return tidy_paragraphs(storable(value)) if part.get("type") == "text/plain" else plain_text(value)


def _date(entry: Any) -> DateSpan:
    # Asked one by one with `in`: feedparser warns when it maps a missing key to another.
    for key in ("published_parsed", "created_parsed", "updated_parsed"):
        if key in entry and isinstance(moment := entry[key], time.struct_time):
            return span(moment.tm_year, moment.tm_mon, moment.tm_mday)
    return DateSpan.unknown()


def _tags(entry: Any) -> tuple[str, ...]:
    found = entry.get("tags", [])
    terms = (tag.get("term") for tag in found if isinstance(tag, dict))
    return tuple(storable(term) for term in terms if isinstance(term, str) and term)


def _field(values: Any, key: str) -> str:
    value = values.get(key, "")
    return storable(value) if isinstance(value, str) else ""
