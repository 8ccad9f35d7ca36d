"""Interviews as labelled text: ``Q:``/``A:``, ``**Name:**`` or ``Name:`` before each turn, a few header lines on top.

Paragraphs without a label go on with the turn before them. ``Interviewer`` and ``Interviewee`` in the header put names
to ``Q`` and ``A``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from core.corpus.decoding import tidy_paragraphs
from core.corpus.front_matter import read_front_matter
from core.corpus.headings import heading_of
from core.corpus.identity import conversation_uid
from core.corpus.records import Conversation, Issue, Match, Options, Probe, Record, SourceFile, Turn
from core.corpus.speaker_labels import Labels, find_labels, is_question_label
from core.corpus.written_dates import date_in_name, read_date
from core.errors import ImportFailed

_HEADER = re.compile(r"^(?:\*\*)?(?P<key>[A-Za-z][A-Za-z ]{1,24}?)(?:\*\*)?\s*:(?:\*\*)?[ \t]+(?P<value>\S.*)$")
_KEYS = {
    "title": "title",
    "headline": "title",
    "date": "date",
    "published": "date",
    "recorded": "date",
    "interviewer": "asker",
    "host": "asker",
    "interviewee": "answerer",
    "guest": "answerer",
    "url": "link",
    "link": "link",
}


@dataclass(frozen=True, slots=True)
class _Header:
    values: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def get(self, key: str) -> str:
        return self.values.get(key, "")


class LabelledTranscript:
    """Reads an interview in which every turn names its speaker."""

    name = "transcript"
    library = "own"
    sniff_rule = "text whose turns begin with Q:/A:, **Name:** or Name:"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim a text in which at least two speakers take turns."""
        if probe.is_folder or probe.members or probe.json_keys or b"\x00" in probe.head:
            return None
        header, body = _parted(probe.text)
        labels = find_labels(body.split("\n"), _declared(header))
        speakers = labels.speakers
        if len(speakers) < 2:
            return None
        listed = ", ".join(list(speakers)[:4])
        bonus = 0.03 if header.get("asker") or header.get("answerer") else 0.0
        if labels.is_question_and_answer:
            return Match(0.92 + bonus, "questions and answers marked Q: and A:")
        paragraphs = len([part for part in re.split(r"\n\s*\n", body.strip()) if part.strip()])
        lines = len([line for line in body.split("\n") if line.strip()])
        share = len(labels.speaking) / max(1, min(paragraphs, lines))
        if max(speakers.values()) < 2 or share < 0.3:
            return (
                Match(0.6, f"lines that may be labelled with speakers: {listed}") if bonus == 0 else Match(0.85, listed)
            )
        return Match(0.92 + bonus if labels.speaking[0].bold else 0.88 + bonus, f"turns labelled with {listed}")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield one conversation, and an issue for what no speaker is named for.

        Raises ``ImportFailed`` when fewer than two speakers are labelled.
        """
        text = source.read_text()
        header, body = _parted(text)
        if header.problem:
            yield Issue(source.name, header.problem, refused=False)
        lines = body.split("\n")
        labels = find_labels(lines, _declared(header))
        if len(labels.speakers) < 2:
            raise ImportFailed(
                f"{source.name}: no labelled speakers found; who speaks is never guessed",
                "Begin each turn with `Name:` or with `Q:` and `A:`.",
            )
        before = "\n".join(lines[: labels.speaking[0].line]).strip()
        if before:
            words = " ".join(before.split())[:60]
            yield Issue(source.name, f"text before the first speaker, skipped: {words}", refused=False)
        for label in labels.doubtful:
            if label.line >= labels.speaking[0].line:
                yield Issue(source.name, f"“{label.name}:” read as speech, not as a speaker", refused=False)
        turns = _turns(lines, labels, header)
        named_date, named_title = date_in_name(PurePosixPath(source.name).stem)
        date = read_date(header.get("date"))
        if header.get("date") and not date.known:
            yield Issue(source.name, f"date not understood: {header.get('date')[:60]}", refused=False)
        date = date if date.known else named_date
        title = header.get("title") or named_title
        uid = conversation_uid(self.name, title, date.iso(), turns)
        yield Conversation(uid, title, date, tuple(turns), link=header.get("link"))


def _turns(lines: list[str], labels: Labels, header: _Header) -> list[Turn]:
    turns: list[Turn] = []
    names = {name: _speaker(name, labels.is_question_and_answer, header) for name in labels.speakers}
    ends = [label.line for label in labels.speaking[1:]] + [len(lines)]
    for label, end in zip(labels.speaking, ends, strict=True):
        said = tidy_paragraphs("\n".join([label.rest, *lines[label.line + 1 : end]])).strip()
        if said:
            turns.append(Turn(names[label.name], said))
    return turns


def _speaker(name: str, question_and_answer: bool, header: _Header) -> str:
    if not question_and_answer:
        return name
    return (header.get("asker") if is_question_label(name) else header.get("answerer")) or name


def _declared(header: _Header) -> list[str]:
    return [name for name in (header.get("asker"), header.get("answerer")) if name]


def _parted(text: str) -> tuple[_Header, str]:
    """The header of a transcript and its turns."""
    front = read_front_matter(text)
    values: dict[str, str] = {}
    for key, value in front.values.items():
        if key in _KEYS and isinstance(value, str) and value.strip():
            values.setdefault(_KEYS[key], value.strip())
    lines = front.body.split("\n")
    keys = Counter(found["key"].casefold() for line in lines if (found := _HEADER.match(line[:400])))
    place = 0
    in_block = False
    for place, line in enumerate(lines):  # noqa: B007
        heading = heading_of(line, 3)
        found = _HEADER.match(line)
        key = found["key"].casefold() if found else ""
        if not line.strip():
            in_block = False
        elif heading and "title" not in values:
            values["title"] = heading
        elif found and key in _KEYS and keys[key] == 1:
            # A key that returns is a speaker: "Interviewer: …" before every question.
            values.setdefault(_KEYS[key], found["value"].strip().strip("*").strip())
            in_block = True
        elif not (in_block and found and keys[key] == 1 and not find_labels([line], list(values.values())).speaking):
            break
    else:
        place = len(lines)
    return _Header(values, front.problem), "\n".join(lines[place:])
