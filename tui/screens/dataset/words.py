"""A dataset's figures in words and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tui.widgets.block_chart import EIGHTHS
from tui.widgets.frame import run_words
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.dataset.composition import Composition, DatasetSight
    from core.runs.snapshot import RunPicture
    from core.store.datasets import ExampleLine

SOURCES = 60
PROBLEMS = 40
"""Lines of one kind that the box of figures has at most."""
_BAR = 30
_WIDEST = 40
"""Years that a row of blocks has at most."""


def figure_lines(sight: DatasetSight, verdict: RunPicture | None, keys: dict[str, str]) -> list[list[Part]]:
    """What is worth knowing at one look, a line each."""
    seen = sight.composition
    newest = sight.datasets[-1].id == sight.row.id
    age = f"the newest of {len(sight.datasets)}" if newest else f"ds{sight.datasets[-1].id} is newer"
    train, validation, held = seen.splits
    return [
        [
            (f" {seen.dataset} ", "bold"), f"{seen.hash[:8]} · {age} · ",
            f"{seen.created[:10]} · {'with' if seen.memories else 'without'} memories · {seen.base}",
        ],
        _stale_line(seen, keys["build"]),
        _titled("Guard", *_verdict_parts(verdict, keys["verify"])),
        _titled(
            "Splits",
            f"train {train.samples:,} samples ({train.exchanges:,} exchanges) · validation {validation.samples:,}"
            f" ({validation.exchanges:,}) · held out {held.exchanges:,}",
        ),
        _titled(
            "Recall",
            f"+ {seen.recall['kept']:,} kept   · {seen.recall['none']:,} none   ✗ {seen.recall['wrong']:,} wrong",
            (f"   {seen.failed_recall:.0%} were to fail on purpose", "$quiet"),
        ),
        _titled(
            "Tokens",
            f"{seen.tokens:,}, {seen.trained_tokens:,} trained   a sample {_length_row(seen)}",
        ),
        _titled("Years", _year_row(seen)),
        _titled("Sources", " · ".join(f"{name or 'gone'} {count:,}" for name, count in seen.sources[:6])),
    ]  # fmt: skip


def figure_box(sight: DatasetSight, verdict: RunPicture | None) -> list[list[Part]]:
    """All of it, for a box."""
    seen, settings = sight.composition, sight.row.settings
    lines: list[list[Part]] = [
        [f"{seen.base}, tokenizer {settings['tokenizer']}, prompts {settings['prompts']}, at most"
         f" {settings['max_tokens']} tokens"],
        *([line] for line in (verdict.result.get("lines", ())[-PROBLEMS:] if verdict is not None else ())),
        [("\nTokens of a sample", "bold")],
        *_bars([(f"{each.low:,}–{each.high:,}", each.samples) for each in seen.lengths]),
        [("\nSamples by year", "bold")],
        *_bars([(year or "undated", count) for year, count in seen.years]),
        [("\nSamples by source", "bold")],
        *_bars([(name or "gone", count) for name, count in seen.sources[:SOURCES]]),
    ]  # fmt: skip
    if len(seen.sources) > SOURCES:
        lines.append([f"and {len(seen.sources) - SOURCES:,} more sources"])
    return lines


def sample_row(line: ExampleLine) -> list[Part]:
    """One sample in the list."""
    return [
        (f" {line.position + 1:>6,} ", "$quiet"),
        f"{line.split:<10} ",
        f"{line.tokens:>6,} tokens, {line.trained_tokens:>5,} trained  ",
        _recall_words(line.recall),
        (f"  {line.date or 'undated':<10} ", "$quiet"),
        line.title,
    ]


def sample_head(line: ExampleLine, place: int, count: int) -> list[Part]:
    """What stands over one sample."""
    return [
        (f" sample {line.position + 1:,}", "bold"),
        f" · {place + 1:,} of {count:,} · {line.split} · {line.tokens:,} tokens, {line.trained_tokens:,} trained ·"
        f" recall {', '.join(line.recall)}\n",
        (f" {line.title} · {line.date or 'undated'}", "$quiet"),
    ]


def run_line(picture: RunPicture) -> list[Part]:
    """How a build or a check is going, or why it ended."""
    if picture.state == "running":
        return [("  " + run_words(picture), "$accent")]
    result: dict[str, Any] = picture.result
    parts: list[Part] = [("  " + run_words(picture), "$error"), f": {result.get('error', '')}"]
    return [*parts, ("\n    " + str(result["hint"]), "$quiet")] if result.get("hint") else parts


def spark(values: Sequence[int]) -> str:
    """Counts as blocks; what is there is seen, however small."""
    most = max(values, default=0)
    return "".join(EIGHTHS[max(1, round(8 * value / most))] if value else "·" for value in values)


def _titled(title: str, *parts: Part) -> list[Part]:
    return [(f"  {title:<8} ", "bold"), *parts]


def _stale_line(seen: Composition, build_key: str) -> list[Part]:
    if not seen.newer_decisions:
        return _titled("Age", ("✓ ", "$success"), "no decision is newer than it")
    count = f"{seen.newer_decisions:,} decision{'s are' if seen.newer_decisions > 1 else ' is'}"
    return _titled(
        "Age", ("↻ stale: ", "$warning"), f"{count} newer than it   ", (build_key, "bold $accent"), " builds it again"
    )


def _verdict_parts(verdict: RunPicture | None, verify_key: str) -> list[Part]:
    if verdict is None:
        return ["· no leak when it was built   ", (verify_key, "bold $accent"), " verifies it"]
    leaks, parity = len(verdict.result["leaks"]), len(verdict.result["parity"])
    glyph, style = ("✗ ", "$error") if leaks or parity else ("✓ ", "$success")
    words = f"{leaks:,} leaks, {parity:,} differences from what the twin is asked"
    return [(glyph, style), words, (f"   {verdict.id}, {verdict.ended[:10]}", "$quiet")]


def _length_row(seen: Composition) -> str:
    if not seen.lengths:
        return ""
    return f"{seen.lengths[0].low:,} {spark([each.samples for each in seen.lengths])} {seen.lengths[-1].high:,}"


def _year_row(seen: Composition) -> str:
    counts = dict(seen.years)
    undated = counts.pop("", 0)
    known = sorted(int(year) for year in counts if year.isdecimal())
    words = f"undated {undated:,}" if undated else ""
    if not known:
        return words
    if known[-1] - known[0] < _WIDEST:
        row = spark([counts.get(f"{year:04}", 0) for year in range(known[0], known[-1] + 1)])
    else:
        row = f"{len(known)} years"
    return f"{known[0]} {row} {known[-1]}   {words}"


def _recall_words(recall: Sequence[str]) -> str:
    glyphs = {"kept": "+", "none": "·", "wrong": "✗"}
    row = "".join(glyphs[kind] for kind in recall)
    return f"{row[:11] + '…' if len(row) > 12 else row:<12}"


def _bars(counts: Sequence[tuple[str, int]]) -> list[list[Part]]:
    most = max((count for _, count in counts), default=0)
    return [
        [f" {name[:30]:<30} {count:>6,} ", ("█" * max(1, round(_BAR * count / most)) if count else "", "$primary")]
        for name, count in counts
    ]
