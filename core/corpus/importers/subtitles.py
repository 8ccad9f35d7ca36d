"""WebVTT and SRT transcripts whose cues name their speakers.

Cues are cut for reading speed, not for sense, so consecutive cues of one speaker are joined into one turn. Their times
are offsets into a recording, never dates; a date comes from ``NOTE date:``. Without a single speaker nothing is
guessed.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from core.corpus.decoding import storable
from core.corpus.identity import conversation_uid
from core.corpus.records import Conversation, Issue, Match, Options, Probe, Record, SourceFile, Turn
from core.corpus.speaker_labels import find_labels
from core.corpus.written_dates import date_in_name, read_date
from core.errors import ImportFailed

_SRT = re.compile(r"^\s*\d+[ \t]*\r?\n\s*\d{1,3}:\d{1,2}:\d{1,2}[,.]\d+\s*-->\s*\d")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>\s][^<>\n]*)>")
_TAG = re.compile(r"</?(?:[a-z]+(?:[.\s][^<>\n]*)?|[\d:.]+)>|\{\\[^{}\n]*\}", re.IGNORECASE)
"""A tag, or a command of the SubStation format that SRT files carry, such as ``{\\an8}``."""
_NOTE = re.compile(r"^(?:NOTE[ \t]+)?(date|title|link|url)[ \t]*:[ \t]*(\S.*)$", re.IGNORECASE)


class Subtitles:
    """Reads captions with speakers."""

    name = "subtitles"
    library = "webvtt-py"
    sniff_rule = "WEBVTT on the first line, or SRT's number and time line"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim WebVTT by its first word and SRT by its first cue."""
        text = probe.text
        if re.match(r"WEBVTT(?:\s|$)", text):
            return Match(0.98, "begins with WEBVTT")
        if _SRT.match(text):
            return Match(0.96, "begins with a numbered, timed cue")
        return None

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one conversation, and an issue for what no speaker is named for.

        Raises ``ImportFailed`` when the captions are damaged or name no speaker.
        """
        text = source.read_text()
        cues = _cues(text, source.name)
        said, unnamed = _spoken(cues)
        if not said:
            raise ImportFailed(
                f"{source.name}: the captions name no speakers; who speaks is never guessed",
                "Label the cues `<v Name>` or `Name:` and import the file again.",
            )
        if unnamed:
            yield Issue(source.name, f"{unnamed} cues before the first named speaker, skipped")
        lost = len(re.findall(r"^[^\n]*-->", text, re.MULTILINE)) - len(cues)
        if lost > 0:
            yield Issue(source.name, f"{lost} damaged or empty cues, skipped")
        notes = _notes(text)
        date = read_date(notes.get("date", ""))
        if notes.get("date") and not date.known:
            yield Issue(source.name, f"date not understood: {notes['date'][:60]}", refused=False)
        named_date, named_title = date_in_name(PurePosixPath(source.name).stem)
        date = date if date.known else named_date
        title = notes.get("title") or named_title
        turns = tuple(Turn(speaker, " ".join(words)) for speaker, words in said)
        link = notes.get("link") or notes.get("url") or ""
        yield Conversation(conversation_uid(self.name, title, date.iso(), turns), title, date, turns, link=link)


def _cues(text: str, name: str) -> list[list[str]]:
    """The lines of each cue, tags still in them."""
    form = "vtt" if text.startswith("WEBVTT") else "srt"
    try:
        captions = webvtt.from_buffer(io.StringIO(text.strip("\n")), format=form).captions
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise ImportFailed(f"{name}: damaged captions: {error}", "Export the captions again.") from None
    return [[line for line in caption.lines if line.strip()] for caption in captions]


def _spoken(cues: list[list[str]]) -> tuple[list[tuple[str, list[str]]], int]:
    """Speakers with their words in order, and how many cues came before the first speaker."""
    voiced = any(_VOICE.search(line) for cue in cues for line in cue)
    labels = find_labels([_words(line) for cue in cues for line in cue])
    labelled = {} if voiced else {label.line: label for label in labels.speaking}
    said: list[tuple[str, list[str]]] = []
    unnamed = 0
    line_number = 0
    for cue in cues:
        for line in cue:
            label = labelled.get(line_number)
            line_number += 1
            if label:
                _say(said, label.name, label.rest)
                continue
            pieces = _VOICE.split(line)
            for place in range(1, len(pieces), 2):
                if place == 1 and _words(pieces[0]) and said:
                    _say(said, said[-1][0], _words(pieces[0]))
                _say(said, " ".join(_words(pieces[place]).split()), _words(pieces[place + 1]))
            if len(pieces) == 1:
                if said:
                    _say(said, said[-1][0], _words(line))
                else:
                    unnamed += 1
    return [(speaker, words) for speaker, words in said if words], unnamed


def _say(said: list[tuple[str, list[str]]], speaker: str, words: str) -> None:
    if not said or said[-1][0] != speaker:
        said.append((speaker, []))
    if words.strip():
        said[-1][1].append(words.strip())


def _words(line: str) -> str:
    return storable(html.unescape(_TAG.sub("", line))).strip()


def _notes(text: str) -> dict[str, str]:
    """``date``, ``title`` and ``link`` from the NOTE blocks of WebVTT."""
    found: dict[str, str] = {}
    for block in re.split(r"\n[ \t]*\n", text):
        if not block.lstrip("\n").startswith("NOTE"):
            continue
        for line in block.split("\n"):
            note = _NOTE.match(line)
            if note:
                found.setdefault(note[1].casefold(), note[2].strip())
    return found
