"""Which importer reads a source, and a look at what it would yield before anything is stored.

Content decides, and where it does not decide clearly the user is asked: a wrong guess would put someone else's words
into the target's mouth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.corpus.ambiguity import Ambiguous
from core.corpus.decoding import sample
from core.corpus.importers import CONVERSATIONS, IMPORTERS
from core.corpus.opening import Source, expand, open_source
from core.corpus.records import (
    Conversation,
    Document,
    Importer,
    Issue,
    Match,
    Options,
    Preview,
    Probe,
    Record,
    SourceFile,
    SourceKind,
    SpeakerSummary,
    sort_of,
)
from core.dates import DateSpan
from core.errors import ImportFailed, UsageError

SURE = 0.8
"""The least confidence with which a format is taken without asking."""
AMBIGUOUS_PROSE = {"text", "profile"}
"""Formats that only the user can tell apart: words by the target, or about them."""
_NOT_CONVERSATION = "Leave out --as conversation; `simulee formats` lists what conversations look like."
_TIE = 0.03
_SAMPLES = 3
_SAMPLE_CHARACTERS = 80
_ISSUES = 1_000
"""Skipped records that a preview names; it counts all."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A source, the importer that reads it, and why."""

    source: Source
    importer: Importer
    match: Match


def rank(probe: Probe) -> list[tuple[Importer, Match]]:
    """Every importer that claims the probed source, the surest first."""
    claims = [(importer, match) for importer in IMPORTERS if (match := importer.sniff(probe))]
    return sorted(claims, key=lambda claim: -claim[1].confidence)


def importer_named(name: str) -> Importer:
    """The importer of a format. Raises ``UsageError`` when there is no such format."""
    for importer in IMPORTERS:
        if importer.name == name:
            return importer
    raise UsageError(f"no format is called {name!r}", f"Formats: {', '.join(each.name for each in IMPORTERS)}.")


def choose(
    path: Path | Source,
    format: str | None = None,  # noqa: A002
    kind: SourceKind | None = None,
) -> Choice:
    """The importer for a path or an opened source; ``format`` overrules sniffing.

    Plain text may be by the target or about them: ``kind``, where the user gave it, settles that. What is said to be a
    conversation is read by an importer of conversations or not at all.

    Raises ``UsageError`` that names the candidates when the best claim is under 0.8 or tied, and when nothing reads a
    conversation from it, ``ImportFailed`` when the source cannot be opened or nothing claims it.
    """
    source = open_source(path) if isinstance(path, Path) else path
    if format is not None:
        importer = importer_named(format)
        if kind == "conversation" and format not in CONVERSATIONS:
            raise UsageError(f"{format} is a format of documents, not of conversations", _NOT_CONVERSATION)
        return Choice(source, importer, Match(1.0, "named by the user"))
    claims = rank(source.probe())
    if kind == "conversation":
        claims = [claim for claim in claims if claim[0].name in CONVERSATIONS]
        if not claims:
            raise UsageError(f"{source.name}: not a conversation in any known format", _NOT_CONVERSATION)
        if len(claims) == 1:
            return Choice(source, *claims[0])
    if not claims:
        raise ImportFailed(f"{source.name}: no known format", "`simulee formats` lists what can be imported.")
    importer, match = claims[0]
    tied = len(claims) > 1 and match.confidence - claims[1][1].confidence < _TIE
    if match.confidence < SURE or tied:
        candidates = [
            each for each, claim in claims if match.confidence < SURE or match.confidence - claim.confidence < _TIE
        ]
        if kind and {each.name for each in candidates} == AMBIGUOUS_PROSE:
            wanted = "profile" if kind == "profile" else "text"
            return Choice(source, importer_named(wanted), Match(SURE, f"said to be {kind}"))
        names = ", ".join(each.name for each in candidates)
        raise UsageError(
            f"{source.name}: could be {names}",
            f"Say which with --format, such as --format {candidates[0].name}, or with --as writing|profile.",
        )
    return Choice(source, importer, match)


def choose_each(
    path: Path,
    format: str | None = None,  # noqa: A002
    kind: SourceKind | None = None,
) -> tuple[list[Choice], list[Issue]]:
    """The importers for everything that a path holds; in a folder, files without a clear format become issues.

    Raises as ``choose`` does when the path is one source.
    """
    expansion = expand(path)
    if len(expansion.sources) == 1 and not expansion.issues:
        return [choose(expansion.sources[0], format, kind)], []
    choices: list[Choice] = []
    issues = list(expansion.issues)
    for source in expansion.sources:
        try:
            choices.append(choose(source, format, kind))
        except (ImportFailed, UsageError) as error:
            place = str(source.path.relative_to(path)) if source.path != path else source.name
            issues.append(Issue(place, error.message.removeprefix(f"{source.name}: ")))
    return choices, issues


@dataclass(slots=True)
class _Speaker:
    turns: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """What has been seen of a source so far."""

    documents: int = 0
    conversations: int = 0
    speakers: dict[str, _Speaker] = field(default_factory=dict)
    first: DateSpan | None = None
    last: DateSpan | None = None
    samples: list[str] = field(default_factory=list)
    private: bool = False
    sorts: set[str] = field(default_factory=set)
    skipped: int = 0
    issues: list[Issue] = field(default_factory=list)

    def add(self, record: Record) -> None:
        if isinstance(record, Issue):
            self.skipped += 1
            if len(self.issues) < _ISSUES:
                self.issues.append(record)
            return
        self.private = self.private or record.visibility == "private"
        self.sorts.add(sort_of(record))
        if isinstance(record, Document):
            self.documents += 1
            self._sample(f"{record.title}: {record.text}" if record.title else record.text)
            self._date(record.date)
        else:
            self.conversations += 1
            self._add_turns(record)

    def _add_turns(self, conversation: Conversation) -> None:
        self._date(conversation.date)
        for turn in conversation.turns:
            if turn.time is not None:
                self._date(DateSpan.of_day(turn.time))
            if turn.kind == "system" or not turn.speaker:
                continue
            speaker = self.speakers.setdefault(turn.speaker, _Speaker())
            speaker.turns += 1
            if turn.kind == "said" and len(speaker.samples) < _SAMPLES:
                speaker.samples.append(sample(turn.text, _SAMPLE_CHARACTERS))
                self._sample(f"{turn.speaker}: {turn.text}")

    def _sample(self, text: str) -> None:
        if len(self.samples) < _SAMPLES:
            self.samples.append(sample(text, _SAMPLE_CHARACTERS))

    def _date(self, date: DateSpan) -> None:
        if date.known:
            self.first = date if self.first is None or date.first < self.first.first else self.first
            self.last = date if self.last is None or date.last > self.last.last else self.last


def inspect(
    source: SourceFile, importer: Importer, options: Options, watch: Callable[[], None] | None = None
) -> Preview:
    """Read a source without storing it: counts, speakers, dates, samples, and what must be asked.

    ``watch`` is called at every record; what it raises ends the look. Raises ``ImportFailed`` when the source as a
    whole cannot be read.
    """
    ambiguities: list[str] = []
    try:
        tally = _tally(importer.parse(source, options), watch)
    except Ambiguous as question:
        if question.provisional is None:
            raise
        ambiguities.append(f"{question.message}. {question.hint}".rstrip(". ") + ".")
        tally = _tally(importer.parse(source, question.provisional), watch)
    ranked = sorted(tally.speakers.items(), key=lambda item: -item[1].turns)
    return Preview(
        documents=tally.documents,
        conversations=tally.conversations,
        speakers=tuple(SpeakerSummary(name, each.turns, tuple(each.samples)) for name, each in ranked),
        first_date=tally.first.iso() if tally.first else "",
        last_date=tally.last.iso() if tally.last else "",
        samples=tuple(tally.samples),
        ambiguities=tuple(ambiguities),
        private=tally.private,
        skipped=tally.skipped,
        sorts=tuple(sorted(tally.sorts)),
        issues=tuple(tally.issues),
    )


def _tally(records: Iterable[Record], watch: Callable[[], None] | None) -> _Tally:
    tally = _Tally()
    for record in records:
        if watch is not None:
            watch()
        tally.add(record)
    return tally
