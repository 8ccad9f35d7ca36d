"""A plain text as one document: the last resort, which never claims a source by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from core.corpus.decoding import tidy_paragraphs
from core.corpus.identity import opening_words, uid_of
from core.corpus.importers.profile import is_prose
from core.corpus.records import Document, Issue, Match, Options, Probe, Record, SourceFile
from core.corpus.written_dates import date_in_name

_GUTENBERG_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK[^\n]*\n", re.MULTILINE)
_GUTENBERG_END = re.compile(r"^\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG EBOOK", re.MULTILINE)


class PlainText:
    """Reads a whole text as one document; Project Gutenberg's header and footer are left out."""

    name = "text"
    library = "charset-normalizer"
    sniff_rule = "any other text, on request"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim any text, with little confidence."""
        return Match(0.5, "text of no other format") if is_prose(probe) else None

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield the whole file as one document."""
        text = source.read_text()
        start = _GUTENBERG_START.search(text)
        if start:
            end = _GUTENBERG_END.search(text, start.end())
            text = text[start.end() : end.start() if end else len(text)]
        text = tidy_paragraphs(text)
        if not text.strip():
            yield Issue(source.name, "no text in it, skipped", refused=False)
            return
        date, title = date_in_name(PurePosixPath(source.name).stem)
        uid = uid_of(self.name, source.name, opening_words(text))
        yield Document(uid, options.kind or "writing", title, text, date)
