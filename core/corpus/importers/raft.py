"""raft's two files: an interview as JSON with ``exchanges``, and a corpus of writings as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from core.corpus.decoding import tidy_paragraphs
from core.corpus.identity import conversation_uid, opening_words, uid_of, unique
from core.corpus.json_values import load_json, text_field
from core.corpus.records import Conversation, Document, Issue, Match, Options, Probe, Record, SourceFile, Turn
from core.corpus.written_dates import date_in_name, read_date
from core.errors import ImportFailed

_LINE_CHARACTERS = 16 << 20


class RaftTranscript:
    """Reads one interview: ``{"participants": {"q", "a"}, "date", "url", "exchanges": [[q, a], …]}``."""

    name = "raft-transcript"
    library = "own"
    sniff_rule = "a JSON object with exchanges and participants"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim a JSON object with ``exchanges``."""
        if not probe.text.lstrip().startswith("{") or "exchanges" not in probe.json_keys:
            return None
        if "participants" in probe.json_keys:
            return Match(0.97, "a JSON object with exchanges and participants")
        return Match(0.85, "a JSON object with exchanges")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one conversation, and an issue for each exchange that is not a pair of texts.

        Raises ``ImportFailed`` when the file is not such a transcript.
        """
        value = load_json(source.read_text(), source.name)
        exchanges = value.get("exchanges") if isinstance(value, dict) else None
        if not isinstance(exchanges, list):
            raise ImportFailed(f"{source.name}: has no list of exchanges", "It should be [[question, answer], …].")
        people = value.get("participants")
        asker = text_field(people, "q").strip() if isinstance(people, dict) else ""
        answerer = text_field(people, "a").strip() if isinstance(people, dict) else ""
        turns: list[Turn] = []
        for number, pair in enumerate(exchanges, start=1):
            said = _pair(pair)
            if said is None:
                yield Issue(f"exchange {number}", "not a question and an answer, skipped")
                continue
            turns += [
                Turn(name, text) for name, text in zip((asker or "Q", answerer or "A"), said, strict=True) if text
            ]
        if not turns:
            raise ImportFailed(f"{source.name}: holds no exchange", "It should be [[question, answer], …].")
        written = text_field(value, "date")
        date = read_date(written)
        if written and not date.known:
            yield Issue(source.name, f"date not understood: {written[:60]}", refused=False)
        named_date, named_title = date_in_name(PurePosixPath(source.name).stem)
        title = text_field(value, "title").strip() or named_title
        date = date if date.known else named_date
        link = text_field(value, "url").strip()
        uid = uid_of(self.name, link) if link else conversation_uid(self.name, title, date.iso(), turns)
        yield Conversation(uid, title, date, tuple(turns), link=link)


class RaftCorpus:
    """Reads writings from JSON lines: ``{"title", "link", "date", "content"}``."""

    name = "raft-corpus"
    library = "own"
    sniff_rule = "JSON lines with content and a title, link or date"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim JSON lines with ``content`` and at least one of title, link and date."""
        keys = set(probe.json_keys)
        beside = keys & {"title", "link", "date"}
        if not probe.text.lstrip().startswith("{") or "content" not in keys or not beside:
            return None
        return Match(0.95 if len(beside) >= 2 else 0.82, f"JSON lines with content and {', '.join(sorted(beside))}")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one document for each line, an issue for each line that holds none."""
        return unique(_writings(source, options))


def _writings(source: SourceFile, options: Options) -> Iterator[Record]:
    for number, line in enumerate(source.read_text().split("\n"), start=1):
        locator = f"line {number}"
        if not line.strip():
            continue
        if len(line) > _LINE_CHARACTERS:
            yield Issue(locator, f"longer than {_LINE_CHARACTERS:,} characters, skipped")
            continue
        try:
            value = load_json(line, locator)
        except ImportFailed as error:
            yield Issue(locator, error.message.removeprefix(f"{locator}: "))
            continue
        text = tidy_paragraphs(text_field(value, "content")) if isinstance(value, dict) else ""
        if not text:
            yield Issue(locator, "no content, skipped", refused=False)
            continue
        written = text_field(value, "date").strip()
        date = read_date(written)
        if written and not date.known:
            yield Issue(locator, f"date not understood: {written[:60]}", refused=False)
        title = text_field(value, "title").strip()
        link = text_field(value, "link").strip()
        yield Document(
            uid=uid_of("raft-corpus", link) if link else uid_of("raft-corpus", title, date.iso(), opening_words(text)),
            kind=options.kind or "writing",
            title=title,
            text=text,
            date=date,
            link=link,
        )


def _pair(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, str) for part in value):
        return None
    question, answer = (text_field({"text": part}, "text").strip() for part in value)
    return (question, answer) if answer or question else None
