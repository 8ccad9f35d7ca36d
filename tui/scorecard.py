"""A scorecard as lines of text that fit 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

from tui.face import table

WIDTH = 80
WITH_INTERVAL = (("bits_per_token", "bits/token"), ("mrr", "true answer MRR"))


def scorecard_lines(scorecard: dict[str, Any]) -> list[str]:
    """The ladder with intervals, the values per interview, and what b4 gains on each other system."""
    dates = [each["date"] or each["title"] for each in scorecard["interviews"]]
    everything = {**scorecard["systems"], **scorecard["controls"]}
    lines = table([[name, system["title"]] for name, system in everything.items()])
    lines += ["", "on the held-out interviews, with 95% intervals"]
    rows = [
        [
            name,
            *(_interval(system["metrics"].get(key)) for key, _ in WITH_INTERVAL),
            f"{system['metrics']['verbatim_overlap']['value']:.1%}",
            f"{system['metrics']['words']['value']:.0f}",
        ]
        for name, system in everything.items()
    ]
    lines += table(rows, ("", *(title for _, title in WITH_INTERVAL), "copied", "words"))
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
        rows = [
            [name, _interval(gain, "+"), *(f"{value:+.3f}" for value in gain["per_interview"])]
            for name, gain in scorecard["differences"].items()
        ]
        lines += table(rows, ("", "pooled", *dates))
    if scorecard.get("not_run"):
        lines += ["", f"not run, for want of an adapter: {', '.join(scorecard['not_run'])}"]
    return [*lines, "", *(line for note in scorecard["notes"] for line in textwrap.wrap(note, WIDTH))]


def _interval(figure: dict[str, float] | None, sign: str = "") -> str:
    if figure is None:
        return ""
    value, low, high = (f"{figure[key]:{sign}.3f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
