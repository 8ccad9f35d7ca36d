"""A scorecard as lines of text."""

from __future__ import annotations

from typing import Any

from tui.face import table

COLUMNS = (
    ("bits_per_token", "bits/token"),
    ("mrr", "true answer MRR"),
    ("verbatim_overlap", "copied"),
    ("words", "words"),
)


def scorecard_lines(scorecard: dict[str, Any]) -> list[str]:
    """The ladder with intervals, the values per interview, and what b4 gains on each other system."""
    dates = [each["date"] or each["title"] for each in scorecard["interviews"]]
    rows = []
    for name, system in {**scorecard["systems"], **scorecard["controls"]}.items():
        rows.append([name, system["title"], *(_interval(system["metrics"].get(key)) for key, _ in COLUMNS)])
    lines = table(rows, ("", "", *(title for _, title in COLUMNS)))
    lines += ["", "bits per token of the real answers, per interview (fewer is better)"]
    lines += table(
        [
            [name, *(f"{value:.3f}" for value in system["per_interview"]["bits_per_token"])]
            for name, system in scorecard["systems"].items()
        ],
        ("", *dates),
    )
    if scorecard["differences"]:
        lines += ["", "b4 minus each, in bits per token (below zero: b4 is better)"]
        lines += table(
            [
                [name, f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]",
                 *(f"{value:+.3f}" for value in gain["per_interview"])]
                for name, gain in scorecard["differences"].items()
            ],
            ("", "pooled", *dates),
        )  # fmt: skip
    if scorecard.get("not_run"):
        lines += ["", f"not run, for want of an adapter: {', '.join(scorecard['not_run'])}"]
    return [*lines, "", *scorecard["notes"]]


def _interval(figure: dict[str, float] | None) -> str:
    if figure is None:
        return ""
    digits = 1 if figure["value"] >= 10 else 3
    return f"{figure['value']:.{digits}f} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"
