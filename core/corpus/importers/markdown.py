"""Markdown notes: a vault such as Obsidian's, a folder of notes, or a single note.

A note's date comes from its front matter or from its file name, never from the file system: a copied vault would
otherwise have written everything on the day it was copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from core.corpus.decoding import tidy_paragraphs
from core.corpus.front_matter import FrontMatter, read_front_matter
from core.corpus.headings import heading_of
from core.corpus.identity import opening_words, uid_of
from core.corpus.importers.transcript import LabelledTranscript
from core.corpus.limits import PROBE_BYTES
from core.corpus.opening import NOTE_SUFFIXES
from core.corpus.records import Document, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.written_dates import date_in_name, read_date
from core.dates import DateSpan
from core.errors import ImportFailed

_SYNTAX = re.compile(
    r"(?P<opening>^(?:```|~~~)|%%|<!--)"
    r"|(?P<code>`[^`\n]+`)"
    r"|(?P<embed>!\[\[[^\[\]\n]*\]\]|!\[[^\[\]\n]*\]\([^()\n]*\))"
    r"|\[\[(?P<link>[^\[\]\n]+)\]\]"
    r"|\[(?P<words>[^\[\]\n]+)\]\((?:<[^<>\n]*>|[^()\s]*)(?:[ \t]+\"[^\"\n]*\")?\)",
    re.MULTILINE,
)
_CLOSING = {
    "```": re.compile(r"^```[ \t]*$", re.MULTILINE),
    "~~~": re.compile(r"^~~~[ \t]*$", re.MULTILINE),
    "%%": re.compile("%%"),
    "<!--": re.compile("-->"),
}
_MARKDOWN = re.compile(r"^#{1,6} \S|^[ \t]*[-*] \S|\[\[[^\[\]\n]+\]\]|\[[^\[\]\n]+\]\([^()\n]+\)|\*\*\S", re.MULTILINE)
_DATE_KEYS = ("date", "created", "published")


class MarkdownNotes:
    """Reads notes from a folder or a file."""

    name = "markdown"
    library = "python-frontmatter"
    sniff_rule = "a folder with .md files, or a text with front matter between --- lines"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim a folder that is mostly notes, or a note."""
        if probe.is_folder:
            notes = sum(_is_note(name) for name in probe.members)
            return Match(0.95, f"a folder with {notes} notes") if notes else None
        if probe.members or b"\x00" in probe.head:
            return None
        text = probe.text
        if text.startswith("---") and read_front_matter(text).values:
            return Match(0.9, "begins with front matter")
        if not _is_note(probe.name):
            return None
        if _MARKDOWN.search(text):
            return Match(0.84, "named .md and written in Markdown")
        return Match(0.82, "named .md")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each note; raises ``ImportFailed`` when a single note cannot be read."""
        names = [name for name in source.members() if _is_note(name)]
        if not names:
            text = source.read_text()
            yield from _note(source.name, source.name, text, opening_words(text), options)
            return
        for name in names:
            try:
                text = source.member_text(name)
            except ImportFailed as error:
                yield Issue(name, error.message)
                continue
            if _is_interview(name, text):
                yield Issue(name, "looks like an interview, skipped; import it by itself as a transcript")
                continue
            yield from _note(name, f"{source.name}/{name}", text, "", options)


def _is_note(name: str) -> bool:
    return name.lower().endswith(NOTE_SUFFIXES)


def _is_interview(name: str, text: str) -> bool:
    """Whether a note of a vault holds labelled turns: its questions are not the target's words."""
    match = LabelledTranscript().sniff(Probe(name, text[:PROBE_BYTES].encode("utf-8")))
    return match is not None and match.confidence >= 0.88


def _note(name: str, place: str, text: str, opening: str, options: Options) -> Iterator[Record]:
    front = read_front_matter(text)
    if front.problem:
        yield Issue(name, front.problem, refused=False)
    named_date, named_title = date_in_name(PurePosixPath(name).stem)
    body = front.body
    title = front.text("title")
    first, _, rest = body.lstrip().partition("\n")
    heading = heading_of(first, 1)
    if heading and (not title or heading == title):
        title = heading
        body = rest
    date, unread = _date(front)
    if unread:
        yield Issue(name, f"date not understood: {unread[:60]}", refused=False)
    plain = tidy_paragraphs(_without_syntax(body))
    if not plain.strip():
        yield Issue(name, "an empty note, skipped", refused=False)
        return
    yield Document(
        uid=uid_of("markdown", place, opening),
        kind=options.kind or "writing",
        title=_without_syntax(title) or named_title or PurePosixPath(name).stem,
        text=plain,
        date=date if date.known else named_date,
        link=front.text("url", "link", "source"),
        language=front.text("lang", "language"),
        tags=front.words("tags"),
    )


def _date(front: FrontMatter) -> tuple[DateSpan, str]:
    """The first readable date of the front matter, and the first unreadable one when there is no other."""
    unread = ""
    for key in _DATE_KEYS:
        written = front.text(key)
        span = read_date(written)
        if span.known:
            return span, ""
        unread = unread or written
    return DateSpan.unknown(), unread


def _without_syntax(text: str) -> str:
    """Links become their words; embeds and comments go; code and emphasis stay as written."""
    kept: list[str] = []
    place = look = 0
    unclosed: set[str] = set()
    while found := _SYNTAX.search(text, look):
        start, stop = found.span()
        opening = found["opening"]
        if opening:
            # What nothing closes from here on is closed nowhere after: the rest is not read again for each.
            end = None if opening in unclosed else _CLOSING[opening].search(text, stop)
            if end is None:
                unclosed.add(opening)
                look = start + 1
                continue
            stop = end.end()
            said = text[start:stop] if opening in ("```", "~~~") else ""
        else:
            said = _plain(found)
        kept += [text[place:start], said]
        place = look = stop
    return "".join([*kept, text[place:]])


def _plain(found: re.Match[str]) -> str:
    if found["code"]:
        return found["code"]
    if found["link"]:
        target, _, alias = found["link"].partition("|")
        page, _, section = target.partition("#")
        return alias.strip() or page.strip() or section.strip(" ^#")
    return found["words"] or ""
