"""The coverage report in words, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from core.recall.coverage import Coverage, Group, Used
from tui.face import table


def coverage_lines(report: Coverage) -> list[str]:
    """The report, a line for each fact and a table for each list."""
    if not report.memories:
        return [f"no memories yet of {report.passages} passages", "Next: simulee recall"]
    never = report.passages - report.recalled
    return [
        f"{report.recalled} of {report.passages} passages recalled at least once ({report.share:.0%});"
        f" {report.memories} memories",
        f"never: {never}, of which {report.too_new} are newer than every question",
        f"the most used 1% of the passages bring {report.top_hundredth:.0%} of the memories, 10% bring"
        f" {report.top_tenth:.0%}; Gini {report.gini:.2f}",
        *_used("passages used most", report.most_used),
        *_used("documents and conversations used most", report.most_used_documents),
        *_groups("source", report.by_source),
        *_groups("year", report.by_year),
    ]


def _used(name: str, used: Sequence[Used]) -> list[str]:
    rows = [[str(each.memories), each.id, each.date, each.title] for each in used]
    if not any(each.id for each in used):
        rows = [[row[0], *row[2:]] for row in rows]
    return ["", f"{name}:", *table(rows)]


def _groups(name: str, groups: Sequence[Group]) -> list[str]:
    rows = [[each.name, str(each.passages), str(each.never)] for each in groups]
    return ["", *table(rows, (name, "passages", "never recalled"))]
