"""Substack's export: ``posts.csv`` and one HTML file a post, in a zip or unpacked.

Only published posts are the author's public writing; drafts, threads and pages are reported and left out, and drafts
come along, as private, when the user asks for private things.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator

from core.corpus.decoding import storable
from core.corpus.identity import unique
from core.corpus.markup import plain_text
from core.corpus.records import Document, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.written_dates import read_date
from core.errors import ImportFailed

_TABLE = "posts.csv"
_CELL_CHARACTERS = 10 << 20
_SKIPPED_TYPES = {"thread": "thread", "page": "page", "restack": "restack"}


class SubstackExport:
    """Reads the export of a Substack publication."""

    name = "substack"
    library = "lxml"
    sniff_rule = "a zip or folder with posts.csv and posts/*.html"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim an archive or folder that holds ``posts.csv`` beside ``posts/``."""
        tables = [name for name in probe.members if name.rsplit("/", 1)[-1] == _TABLE]
        if not tables:
            return None
        folder = f"{_root(tables)}posts/"
        if any(name.startswith(folder) and name.endswith(".html") for name in probe.members):
            return Match(0.98, "posts.csv and posts/*.html")
        return Match(0.7, "posts.csv, but no posts/*.html")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each published post, an issue for each other row.

        Raises ``ImportFailed`` when there is no readable ``posts.csv``.
        """
        return unique(_posts(source, options))


def _posts(source: SourceFile, options: Options) -> Iterator[Record]:
    names = source.members()
    tables = [name for name in names if name.rsplit("/", 1)[-1] == _TABLE]
    if not tables:
        raise ImportFailed(f"{source.name}: holds no {_TABLE}", "Ask Substack for a new export and import that zip.")
    root = _root(tables)
    pages = {name: name for name in names if name.startswith(f"{root}posts/")}
    for number, row in _rows(source.member_text(root + _TABLE), source.name):
        post = row.get("post_id", "").strip()
        if not post:
            yield Issue(f"{_TABLE}, row {number}", "no post_id")
            continue
        draft = row.get("is_published", "").strip().casefold() not in ("true", "1", "yes")
        kind = row.get("type", "").strip().casefold()
        if kind in _SKIPPED_TYPES:
            yield Issue(post, f"{_SKIPPED_TYPES[kind]}, skipped", refused=False)
        elif draft and not options.include_private:
            yield Issue(post, "draft, skipped", refused=False)
        elif (page := pages.get(f"{root}posts/{post}.html")) is None:
            yield Issue(post, "its HTML is missing from the export")
        else:
            yield from _post(source, page, post, row, draft, options)


def _post(
    source: SourceFile, page: str, post: str, row: dict[str, str], draft: bool, options: Options
) -> Iterator[Record]:
    try:
        text = plain_text(source.member_text(page))
    except ImportFailed as error:
        yield Issue(post, error.message)
        return
    if not text:
        yield Issue(post, "no text in it, skipped", refused=False)
        return
    date = read_date(re.sub(r"\.\d+(?=Z|$)", "", row.get("post_date", "")))
    if not date.known and row.get("post_date", "").strip():
        yield Issue(post, f"date not understood: {row['post_date'].strip()[:60]}", refused=False)
    yield Document(
        uid=f"substack:{post}",
        kind=options.kind or "writing",
        title=html.unescape(row.get("title", "")).strip() or post.partition(".")[2].replace("-", " ") or post,
        text=text,
        date=date,
        link=row.get("canonical_url", "").strip(),
        visibility="private" if draft else "public",
    )


def _root(tables: list[str]) -> str:
    """The folder of the outermost table, with its slash; empty at the top."""
    return min(tables, key=lambda name: (name.count("/"), name)).removesuffix(_TABLE)


def _rows(table: str, where: str) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(_CELL_CHARACTERS)
    reader = csv.DictReader(io.StringIO(table), restkey="", restval="")
    try:
        if "post_id" not in (reader.fieldnames or ()):
            raise ImportFailed(
                f"{where}: {_TABLE} has no post_id column", "Import the zip exactly as Substack made it."
            )
        for number, row in enumerate(reader, start=2):
            yield number, {key: storable(value) for key, value in row.items() if key and isinstance(value, str)}
    except csv.Error as error:
        raise ImportFailed(f"{where}: {_TABLE} cannot be read: {error}", "Ask Substack for a new export.") from None
