"""The rows of the import screen: what was looked into, what an import did, what was imported before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.corpus.records import Issue, SpeakerSummary
from core.corpus.reports import by_reason, is_unread, issues_of, report_line
from core.corpus.uses import use_of
from core.errors import SimuleeError
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.corpus.looking import Look, Sight
    from core.corpus.recent import RecentPath
    from core.corpus.records import Use
    from core.settings import PrivacySettings
    from core.store.sources import SourceRow

WAYS_IN = (
    "",
    "  What is read: notes, feeds, letters, chats, interviews, subtitles, archives.",
    "  You see what is in it, and settle how it is used, before anything is stored.",
)
SPEAKERS = 30
REASONS = 8
"""Rows that one part of the report has at most; what is more is counted."""
_SAMPLES = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report, and what enter on it is about."""

    parts: tuple[Part, ...]
    kind: str = ""
    """``look``, ``speaker``, ``report``, ``issues``, ``recent``, ``format``, ``dates``, or empty."""
    value: Any = None


def heading(text: str) -> Row:
    """A part of the report begins."""
    return Row((("  " + text, "bold"),))


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows depend on beside the sources themselves."""

    known: Mapping[str, SourceRow]
    """What was imported before, by location."""
    use: Use | None
    """What a person said the words are for; None: what each source asks for."""
    privacy: PrivacySettings
    is_target: Callable[[str], bool]
    day_first: bool | None
    keys: Mapping[str, str]
    """What is pressed to change a thing, by the action's name."""

    def use_of(self, look: Look) -> str:
        """What an import would use a source's words for."""
        before = self.known.get(look.location)
        if self.use is not None:
            return self.use
        if before is not None and before.use_chosen:
            return before.use
        return use_of(look.preview.sorts if look.preview is not None else (), self.privacy)


def parts_of(row: Row, standing: Standing) -> list[Part]:
    """The words of a row; those of a source are made when it is seen."""
    return [*(_look_parts(row.value, standing) if row.kind == "look" and not row.parts else row.parts)]


def sight_rows(sight: Sight, standing: Standing) -> list[Row]:
    """What an import would bring: sources, questions, first records, speakers, and what is left out."""
    rows = [Row((_summary(sight),), "look", sight.looks[0] if len(sight.looks) == 1 else None)]
    if standing.day_first is None:
        settles = (f"   {standing.keys['dates']} settles it", "bold $accent")
        rows += [Row((("  ? ", "$warning"), _told(each), settles), "dates") for each in sight.ambiguities]
    one = len(sight.looks) == 1
    if not one:
        rows.append(heading("Sources"))
    for look in sight.looks:
        rows += [Row((), "look", look)] if not one else _one_look_rows(look, standing)
    samples = [sample for each in sight.previews for sample in (each.samples if one else each.samples[:1])]
    if samples:
        rows.append(heading("First records"))
        rows += [Row((("    · ", "$quiet"), sample)) for sample in samples[:_SAMPLES]]
    if sight.speakers:
        rows.append(heading("Who speaks"))
        rows += [_speaker_row(each, standing.is_target(each.name)) for each in sight.speakers[:SPEAKERS]]
        rows += _more(len(sight.speakers) - SPEAKERS, "speakers")
    skips = sight.skips
    if skips:
        rows.append(heading(f"Left out: {sight.skipped:,}"))
        rows += _reason_rows(skips)
    return rows


def result_rows(reports: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What an import did: a line for each source, and its issues by reason."""
    rows = [heading("Imported")]
    for report in reports:
        glyph, style = ("✗", "$error") if is_unread(report) else ("✓", "$success")
        rows.append(Row(((f"  {glyph} ", style), report_line(report)), "report", report))
        hints = dict.fromkeys(issue["hint"] for issue in report["issues"] if issue.get("hint"))
        rows += [Row((("      " + hint, "$quiet"),)) for hint in hints]
    issues = issues_of(reports)
    if issues:
        rows.append(heading(f"Issues: {len(issues):,}"))
        rows += _reason_rows(issues)
    return rows


def failed_rows(error: SimuleeError) -> list[Row]:
    """Why a look came to nothing, and what to do."""
    rows = [Row((("  ✗ ", "$error"), error.message))]
    return [*rows, Row((("    " + error.hint, "$quiet"),))] if error.hint else rows


def recent_rows(address_key: str, recent: Sequence[RecentPath]) -> list[Row]:
    """What was imported before, to look into again."""
    if not recent:
        first = f"  Nothing was imported yet. Type {address_key} and a file or a folder; tab completes."
        return [Row((text,)) for text in (first, *WAYS_IN)]
    rows = [heading("Imported before   enter looks into it again")]
    for each in recent:
        count = f"{each.count:,} sources" if each.count > 1 else ""
        formats = " ".join(("+".join(each.uses), "·", ", ".join(each.formats)))
        parts: tuple[Part, ...] = (
            (f"    {each.at[:10]}  ", "$quiet"), f"{_cut_left(each.path, 38):<38} ", f"{count:>11}  ",
            (formats, "$quiet"),
        )  # fmt: skip
        rows.append(Row(parts, "recent", each.path))
    return rows


def report_details(report: Mapping[str, Any]) -> list[list[Part]]:
    """All of what an import of one source did, for a box."""
    lines: list[list[Part]] = [[report["location"]], [report_line(report)]]
    for reason, places in by_reason(issues_of([report]))[:REASONS]:
        lines.append([("! ", "$warning"), f"{len(places):,} × {reason}"])
    return lines


def look_details(look: Look, standing: Standing) -> list[list[Part]]:
    """All of one look, for a box."""
    lines: list[list[Part]] = [[look.location], [_format_words(look)]]
    if look.problem:
        lines += [[("✗ " + look.problem, "$error")], [look.hint]]
    lines += [[("or ", "$quiet"), f"{claim.format} {claim.confidence:.0%}: {claim.reason}"]
              for claim in look.claims if claim.format != look.format]  # fmt: skip
    if look.location in standing.known:
        lines.append([_again(standing.known[look.location]), " what is the same changes nothing"])
    if look.preview:
        first, last = look.preview.first_date, look.preview.last_date
        lines.append([f"{_counts(look)}: {first} to {last}" if first else _counts(look)])
        lines.append([f"use {standing.use_of(look)}"])
        lines += [[("· ", "$quiet"), sample] for sample in look.preview.samples]
        lines += [[f"{each.name}: {each.turns:,} turns"] for each in look.preview.speakers[:12]]
        lines += [
            [("left out ", "$warning"), f"{len(places):,} × {reason}"]
            for reason, places in by_reason(look.preview.issues)[:8]
        ]
    return lines


def _summary(sight: Sight) -> Part:
    parts = [_counted(len(sight.looks), "sources") if len(sight.looks) != 1 else sight.looks[0].name]
    counts = ((sight.documents, "documents"), (sight.conversations, "conversations"))
    parts += [_counted(count, noun) for count, noun in counts if count]
    first, last = sight.dates
    parts.append(_span(first, last))
    parts += [f"{sight.skipped:,} left out"] if sight.skipped else []
    parts += ["private"] if sight.private else []
    return (" " + " · ".join(parts), "bold")


def _one_look_rows(look: Look, standing: Standing) -> list[Row]:
    says, changes = f"   {standing.keys['format']} says which", f"   {standing.keys['format']} changes it"
    rows = [Row((("  format ", "bold"), _format_words(look)), "format" if look.problem else "look", look)]
    if look.problem:
        rows.append(Row((("  ✗ ", "$error"), look.problem, (says, "bold $accent")), "format", look))
    others = [f"{claim.format} {claim.confidence:.0%}" for claim in look.claims if claim.format != look.format]
    if others and not look.problem:
        rows.append(Row((("  or     ", "bold"), ", ".join(others), (changes, "$quiet")), "format", look))
    if look.preview is not None and standing.use is None:
        changes = f"   {standing.keys['use']} changes it"
        rows.append(Row((("  use    ", "bold"), _use_words(standing.use_of(look)), (changes, "$quiet"))))
    if look.location in standing.known:
        before = _again(standing.known[look.location])
        rows.append(Row((("  again  ", "bold"), before, " what is the same changes nothing")))
    return rows


def _look_parts(look: Look, standing: Standing) -> list[Part]:
    name = f"{_cut(look.name, 19):<19} "
    if look.problem:
        return [("  ✗ ", "$error"), name, look.problem]
    again = "  again" if look.location in standing.known else ""
    return [
        ("  ✓ ", "$success"), name, f"{_cut(look.format, 15):<15} {look.confidence:>4.0%}  ",
        f"{standing.use_of(look):<7}", _counts(look), (again, "$quiet"), (f"  {look.reason}", "$quiet"),
    ]  # fmt: skip


def _speaker_row(speaker: SpeakerSummary, chosen: bool) -> Row:
    return Row(
        (
            ("  ◉ " if chosen else "  ○ ", "$success" if chosen else ""),
            (f"{_cut(speaker.name, 24):<24}", "bold" if chosen else ""),
            f" {speaker.turns:>6,} turns ",
            ("target " if chosen else "       ", "$success"),
            (" / ".join(speaker.samples), "$quiet"),
        ),
        "speaker",
        speaker.name,
    )


def _reason_rows(issues: Collection[Issue]) -> list[Row]:
    reasons = by_reason(issues)
    rows = [
        Row((("    ! ", "$warning"), f"{len(places):>5,} × {reason}"), "issues", tuple(issues))
        for reason, places in reasons[:REASONS]
    ]
    return rows + _more(len(reasons) - REASONS, "reasons")


def _more(count: int, noun: str) -> list[Row]:
    return [Row(((f"      and {count:,} more {noun}", "$quiet"),))] if count > 0 else []


def _format_words(look: Look) -> str:
    if not look.format:
        return "not clear"
    return f"{look.format} {look.confidence:.0%}: {look.reason}"


def _use_words(use: str) -> str:
    return {"train": "train: learned from and recalled", "recall": "recall: recalled, never learned"}.get(
        use, "none: kept, and used for nothing"
    )


def _again(row: SourceRow) -> str:
    return f"imported {row.imported_at[:10]} for {row.use};"


def _counts(look: Look) -> str:
    if look.preview is None:
        return ""
    counted = ((look.preview.documents, "documents"), (look.preview.conversations, "conversations"))
    counts = ", ".join(_counted(count, noun) for count, noun in counted if count)
    return f"{counts or 'nothing'} {_span(look.preview.first_date, look.preview.last_date)}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun if count != 1 else noun[:-1]}"


def _span(first: str, last: str) -> str:
    """From when to when, by year."""
    if not first:
        return "undated"
    return first[:4] if first[:4] == last[:4] else f"{first[:4]}–{last[:4]}"


def _told(question: str) -> str:
    """A question without the options of the command line that would answer it."""
    return question.partition(". Say which")[0]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cut_left(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
