"""A look into files and folders before anything is stored: each source's format and why, and what it would yield."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.corpus.opening import Source, expand
from core.corpus.records import Issue, Options, Preview, SpeakerSummary
from core.corpus.sniffing import Choice, choose, inspect, rank
from core.corpus.typed_paths import refuse_addresses
from core.errors import ImportFailed, UsageError

Watch = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Claim:
    """A format that a source could have, and why."""

    format: str
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """One source as it would be imported."""

    location: str
    name: str
    format: str
    """Empty while the source could be read in more than one way, or in none."""
    confidence: float = 0.0
    reason: str = ""
    claims: tuple[Claim, ...] = ()
    """Every format that claims it, the surest first."""
    preview: Preview | None = None
    problem: str = ""
    """Why it cannot be imported as it stands."""
    hint: str = ""


@dataclass(frozen=True)
class Sight:
    """Several looks as one: what an import of all of them would bring. Each figure is counted once."""

    looks: tuple[Look, ...]
    issues: tuple[Issue, ...]
    """What in a folder cannot be a source."""

    @cached_property
    def ready(self) -> tuple[Look, ...]:
        """What would be imported."""
        return tuple(look for look in self.looks if look.format and not look.problem)

    @cached_property
    def previews(self) -> list[Preview]:
        return [look.preview for look in self.looks if look.preview is not None]

    @cached_property
    def documents(self) -> int:
        return sum(preview.documents for preview in self.previews)

    @cached_property
    def conversations(self) -> int:
        return sum(preview.conversations for preview in self.previews)

    @cached_property
    def dates(self) -> tuple[str, str]:
        """The first and the last date, or empty strings."""
        first = min((each.first_date for each in self.previews if each.first_date), default="")
        return first, max((each.last_date for each in self.previews if each.last_date), default="")

    @cached_property
    def private(self) -> bool:
        return any(preview.private for preview in self.previews)

    @cached_property
    def ambiguities(self) -> tuple[str, ...]:
        """What the user is asked, each question once."""
        return tuple(dict.fromkeys(question for each in self.previews for question in each.ambiguities))

    @cached_property
    def speakers(self) -> tuple[SpeakerSummary, ...]:
        """Everyone who speaks in any of them, the most talkative first."""
        turns: Counter[str] = Counter()
        samples: dict[str, tuple[str, ...]] = {}
        for preview in self.previews:
            for speaker in preview.speakers:
                turns[speaker.name] += speaker.turns
                samples[speaker.name] = (*samples.get(speaker.name, ()), *speaker.samples)[:3]
        return tuple(SpeakerSummary(name, count, samples[name]) for name, count in turns.most_common())

    @cached_property
    def skipped(self) -> int:
        """Records and files that would be left out."""
        return sum(each.skipped for each in self.previews) + len(self.issues) + len(self.looks) - len(self.ready)

    @cached_property
    def skips(self) -> list[Issue]:
        """What would be left out and why: files that are no source, sources with a problem, records in the others."""
        found = [*self.issues]
        for look in self.looks:
            if look.problem:
                found.append(Issue(look.name, look.problem))
            for issue in look.preview.issues if look.preview else ():
                found.append(Issue(f"{look.name}: {issue.locator}" if len(self.looks) > 1 else issue.locator,
                                   issue.reason))  # fmt: skip
        return found


def look_into(
    paths: Iterable[Path], formats: Mapping[str, str], options: Options, watch: Watch | None = None
) -> Iterator[Look | Issue]:
    """Look at every source under some paths, one after the other; ``formats`` overrules the sniffing by location.

    ``watch`` is called at every record; what it raises ends the look. Raises ImportFailed for a path that cannot be
    read, and for an address.
    """
    paths = list(paths)
    refuse_addresses(paths)
    for path in paths:
        expansion = expand(path.absolute())
        yield from expansion.issues
        for source in expansion.sources:
            yield _look(source, formats.get(str(source.path)), options, watch)


def look_at(choice: Choice, options: Options) -> Look:
    """One source whose format is settled; one that cannot be read has a problem."""
    return _preview(choice, (), options, None)


def _look(source: Source, format_name: str | None, options: Options, watch: Watch | None) -> Look:
    location, name = str(source.path), source.name
    claims: tuple[Claim, ...] = ()
    try:
        claims = tuple(Claim(each.name, match.confidence, match.reason) for each, match in rank(source.probe()))
        choice = choose(source, format_name, options.kind)
    except (ImportFailed, UsageError) as error:
        return Look(location, name, "", claims=claims, problem=error.message.removeprefix(f"{name}: "), hint=error.hint)
    return _preview(choice, claims, options, watch)


def _preview(choice: Choice, claims: tuple[Claim, ...], options: Options, watch: Watch | None) -> Look:
    source, match = choice.source, choice.match
    told = (str(source.path), source.name, choice.importer.name, match.confidence, match.reason, claims)
    try:
        return Look(*told, preview=inspect(source, choice.importer, options, watch))
    except ImportFailed as error:
        return Look(*told, problem=error.message.removeprefix(f"{source.name}: "), hint=error.hint)
