"""What an import did, in words: one line for a source, and its issues by reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.corpus.records import Issue

_COUNTED = ("documents", "profiles", "conversations", "exchanges", "skipped")


def report_line(report: Mapping[str, Any]) -> str:
    """One source of an import's result (``SourceReport``) in one line."""
    counts = ", ".join(f"{report[key]} {key}" for key in _COUNTED if report[key]) or "nothing"
    changes = ", ".join(f"{report[key]} {key}" for key in ("added", "changed", "removed") if report[key])
    return (
        f"{Path(report['location']).name}: {report['format']}, {counts}; {changes or 'nothing changed'};"
        f" use: {report['use'] or 'none'}"
    )


def is_unread(report: Mapping[str, Any]) -> bool:
    """Whether nothing at all came of a source."""
    return not (report["documents"] or report["conversations"] or report["profiles"])


def issues_of(reports: Iterable[Mapping[str, Any]]) -> list[Issue]:
    """Every issue of an import, in its order."""
    return [Issue(issue["locator"], issue["reason"]) for report in reports for issue in report["issues"]]


def by_reason(issues: Iterable[Issue]) -> list[tuple[str, list[str]]]:
    """(reason, where) for every reason, the most frequent first."""
    places: dict[str, list[str]] = {}
    for issue in issues:
        places.setdefault(issue.reason, []).append(issue.locator)
    return sorted(places.items(), key=lambda item: -len(item[1]))
