"""``simulee import``: bring in writings and conversations."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from core.corpus.importers import CONVERSATIONS
from core.corpus.importing import ENTRY, KIND, Request, import_params, name_target, plan
from core.corpus.looking import Look, look_at
from core.corpus.records import DocumentKind, Issue, Options
from core.corpus.reports import by_reason, is_unread, report_line
from core.corpus.sniffing import Choice
from core.errors import ImportFailed, UsageError
from tui.face import DONE_IN_PART, Face, command

app = typer.Typer(rich_markup_mode=None)


class Kind(StrEnum):
    """What the documents of a source are."""

    writing = "writing"
    conversation = "conversation"
    profile = "profile"
    journal = "journal"


class Use(StrEnum):
    """What the words of a source may be used for."""

    train = "train"
    recall = "recall"
    none = "none"


@command(app, "import")
def import_(
    face: Face,
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE…", help="Files, archives, folders.")],
    kind: Annotated[Kind | None, typer.Option("--as", help="What the sources are.")] = None,
    use: Annotated[Use | None, typer.Option("--use", help="What the words may be used for.")] = None,
    format_name: Annotated[str | None, typer.Option("--format", metavar="F", help="Overrule the sniffing.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="NAME", help="Who the target is.")] = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="Another name of the target; repeat.")] = None,
    include_private: Annotated[bool, typer.Option("--include-private", help="Drafts and the like too.")] = False,
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="How numeric dates are written.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Look, and store nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Bring in writings and conversations. Importing the same source again changes nothing.

    Example: simulee import letters/ interview.json --target "Ada Marlow"
    """
    workspace = face.workspace()
    document_kind = cast(DocumentKind | None, kind.value if kind and kind != Kind.conversation else None)
    choices, issues = plan(sources, format_name, kind.value if kind else None)
    if not choices:
        first = issues[0] if issues else Issue(str(sources[0]), "nothing to import")
        failed = UsageError if kind == Kind.conversation else ImportFailed
        raise failed(f"{first.locator}: {first.reason}", "see `simulee formats`")
    if document_kind and all(choice.importer.name in CONVERSATIONS for choice in choices):
        raise UsageError(
            f"{choices[0].source.name} is a conversation ({choices[0].importer.name}), not a {document_kind}",
            "leave out --as, or say how else it is read, such as --format text",
        )
    options = Options(kind=document_kind, day_first=day_first, include_private=include_private)
    if preview:
        _preview(face, choices, issues, options)
        return
    if target or alias:
        name_target(workspace, target or "", alias or ())
    requests = [Request(str(choice.source.path), choice.importer.name, choice.match.confidence) for choice in choices]
    params = import_params(requests, use.value if use else None, options)
    done = face.work(workspace, KIND, ENTRY, params, detach)
    if done is None:
        return
    reports = done["sources"]
    troubles = [asdict(issue) | {"hint": ""} for issue in issues]
    unread = [report for report in reports if is_unread(report)]
    if len(unread) == len(reports) and any(report["issues"] for report in unread):
        first = next(issue for report in unread for issue in report["issues"])
        raise ImportFailed(
            f"{first['locator']}: {first['reason'].removeprefix(first['locator'] + ': ')}", first["hint"]
        )
    face.result({"sources": reports, "issues": troubles}, [report_line(report) for report in reports])
    for trouble in [*troubles, *(issue for report in reports for issue in report["issues"])]:
        face.note(f"  {trouble['locator']}: {trouble['reason']}")
        if trouble.get("hint"):
            face.note(f"    {trouble['hint']}")
    unanswered = any(report["conversations"] and not report["exchanges"] for report in reports)
    if unread or troubles or unanswered or any(report["refused"] for report in reports):
        raise typer.Exit(DONE_IN_PART)


def _preview(face: Face, choices: list[Choice], issues: list[Issue], options: Options) -> None:
    found: list[dict[str, Any]] = []
    lines: list[str] = []
    troubles = [*issues]
    unread: list[Look] = []
    refused = False
    for choice in choices:
        look = look_at(choice, options)
        seen = look.preview
        if seen is None:
            unread.append(look)
            troubles.append(Issue(look.name, look.problem))
            continue
        refused = refused or any(issue.refused for issue in seen.issues)
        told = {"confidence": look.confidence, "reason": look.reason}
        found.append({"location": look.location, "format": look.format, **told, **asdict(seen)})
        dates = f"{seen.first_date} to {seen.last_date}" if seen.first_date else "undated"
        lines.append(f"{choice.source.name}: {choice.importer.name} ({choice.match.reason})")
        lines.append(f"  {seen.documents} documents, {seen.conversations} conversations, {dates}")
        lines += [f"  {speaker.name}: {speaker.turns} turns, such as: {speaker.samples[0] if speaker.samples else ''}"
                  for speaker in seen.speakers[:8]]  # fmt: skip
        lines += [f"  to settle: {question}" for question in seen.ambiguities]
        lines += [f"  skipped: {len(places)} × {reason}" for reason, places in by_reason(seen.issues)[:8]]
    if not found:
        raise ImportFailed(f"{unread[0].name}: {unread[0].problem}", unread[0].hint)
    lines += [f"{issue.locator}: {issue.reason}" for issue in troubles]
    face.result({"sources": found, "issues": [asdict(issue) for issue in troubles]}, lines)
    if troubles or refused:
        raise typer.Exit(DONE_IN_PART)
