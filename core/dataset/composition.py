"""What a frozen dataset is made of: its sources, years, splits and lengths, its recall, and what is newer than it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset.export import find_dataset
from core.store.datasets import DatasetRow, ExampleLine, example_lines, list_datasets, newer_decisions
from core.workspace import Workspace

BARS = 16
"""Classes of the length histogram, at most."""


@dataclass(frozen=True, slots=True)
class SplitSize:
    """One split: its samples, and the exchanges that they teach, of logs the target's lines. Held-out exchanges are in
    no sample."""

    split: str
    samples: int
    exchanges: int


@dataclass(frozen=True, slots=True)
class LengthClass:
    """Samples of ``low`` to ``high`` tokens, both counted in."""

    low: int
    high: int
    samples: int


@dataclass(frozen=True, slots=True)
class Composition:
    """One dataset in figures."""

    dataset: str
    hash: str
    created: str
    base: str
    memories: bool
    samples: int
    tokens: int
    trained_tokens: int
    splits: tuple[SplitSize, ...]
    recall: dict[str, int]
    """Exchanges whose prompts show the memories kept for them, none, or wrong ones."""
    failed_recall: float
    """The share of questions that were to lose their memories or get wrong ones on purpose."""
    sources: tuple[tuple[str, int], ...]
    """(name, samples), the most samples first."""
    years: tuple[tuple[str, int], ...]
    """(year, samples) in their order; what has no date is last, under an empty name."""
    lengths: tuple[LengthClass, ...]
    newer_decisions: int
    """Of the review, about memories that it would hold otherwise now: it is stale when there are any."""


@dataclass(frozen=True, slots=True)
class DatasetSight:
    """A dataset with a line for each of its samples, and the others that there are."""

    row: DatasetRow
    composition: Composition
    lines: tuple[ExampleLine, ...]
    datasets: tuple[DatasetRow, ...]
    """All of them; the one built last is last."""


def dataset_sight(workspace: Workspace, reference: str | None = None) -> DatasetSight | None:
    """The newest dataset, or the one that is meant; None when there is none at all. Raises UsageError."""
    datasets = list_datasets(workspace.database)
    if not datasets:
        return None
    row = find_dataset(workspace, reference)
    lines = example_lines(workspace.database, row.id)
    newer = newer_decisions(workspace.database, row)
    return DatasetSight(row, composition_of(row, lines, newer), tuple(lines), tuple(datasets))


def composition_of(row: DatasetRow, lines: Sequence[ExampleLine], newer_decisions: int) -> Composition:
    """Count a dataset's samples every way."""
    held: dict[str, list[str]] = row.settings["heldout"]
    splits = [
        SplitSize(split, len(own), sum(line.exchanges for line in own))
        for split in ("train", "validation")
        for own in [[line for line in lines if line.split == split]]
    ]
    splits.append(SplitSize("heldout", 0, sum(map(len, held.values()))))
    years = Counter(line.date[:4] for line in lines)
    recall = Counter(kind for line in lines for kind in line.recall)
    return Composition(
        dataset=f"ds{row.id}",
        hash=row.hash,
        created=row.created_at,
        base=row.settings["base"],
        memories=bool(row.settings["memories"]),
        samples=len(lines),
        tokens=sum(line.tokens for line in lines),
        trained_tokens=sum(line.trained_tokens for line in lines),
        splits=tuple(splits),
        recall={kind: recall[kind] for kind in ("kept", "none", "wrong")},
        failed_recall=float(row.settings["failed_recall"]),
        sources=tuple(Counter(Path(line.location).name for line in lines).most_common()),
        years=tuple(sorted(years.items(), key=lambda item: (not item[0], item[0]))),
        lengths=tuple(_classes([line.tokens for line in lines])),
        newer_decisions=newer_decisions,
    )


def build_line(result: dict[str, Any]) -> str:
    """What a build made, from a ``dataset`` run's result, in one line."""
    splits = ", ".join(f"{count} {split}" for split, count in result["splits"].items())
    return f"{result['dataset']} {result['hash']}: {result['examples']} samples; exchanges: {splits}"


def composition_lines(seen: Composition) -> list[str]:
    """The figures in words."""
    splits = ", ".join(f"{each.split} {each.samples} samples of {each.exchanges} exchanges" for each in seen.splits[:2])
    return [
        f"{seen.dataset} {seen.hash}, {seen.base}, {'with' if seen.memories else 'without'} memories",
        f"{splits}; {seen.splits[2].exchanges} exchanges held out",
        f"{seen.tokens:,} tokens, {seen.trained_tokens:,} trained",
        "recall: " + ", ".join(f"{count} {kind}" for kind, count in seen.recall.items())
        + f"; to fail on purpose: {seen.failed_recall:.0%}",
        "sources: " + _listed(seen.sources),
        "years: " + _listed((year or "undated", count) for year, count in seen.years),
        "tokens of a sample: " + _listed((f"{each.low}–{each.high}", each.samples) for each in seen.lengths),
        *([f"{seen.newer_decisions} decisions are newer than it"] if seen.newer_decisions else []),
    ]  # fmt: skip


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name or 'gone'} {count}" for name, count in counts)


def _classes(lengths: Sequence[int]) -> list[LengthClass]:
    if not lengths:
        return []
    span = max(lengths) - min(lengths) + 1
    width = next(size for size in _round_sizes() if span <= size * (BARS - 1))
    first, last = min(lengths) // width, max(lengths) // width
    counts = Counter(length // width for length in lengths)
    return [LengthClass(place * width, (place + 1) * width - 1, counts[place]) for place in range(first, last + 1)]


def _round_sizes() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 and on."""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
