"""How well the judge, or the model learned from a person, foretells that person: measured before each verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from core.review.blind import BlindSample, blind_sample
from core.review.second_looks import Consistency, consistency
from core.review.shares import Share
from core.store import learned as store
from core.store.learned import ForetoldRow
from core.workspace import Workspace

LAST = 100
"""Verdicts over which agreement and precision are taken."""
FEWEST = 10
"""Foretold verdicts below which nothing is said."""
EVEN = 0.5
"""A memory is foretold to be accepted from this chance on."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Over the last verdicts of a person that something was foretold for. Both are out of sample: the word of model
    or judge was kept with the verdict, before anything was learned from it."""

    by: Literal["model", "judge"]
    threshold: float
    """From which acceptance is foretold: a chance of the model's, or the judge's bits."""
    agreement: Share
    precision: Share
    """Of those foretold to be accepted, the accepted ones."""

    @property
    def enough(self) -> bool:
        """Whether there is something to show."""
        return self.agreement.count >= FEWEST


@dataclass(frozen=True, slots=True)
class ReviewFigures:
    """All there is to say of one person's review."""

    figures: Figures
    model: dict[str, Any] | None
    """What the model says of itself: decisions, Brier scores, reliability, weights."""
    blind: BlindSample
    consistency: Consistency


def figures(workspace: Workspace, actor: str) -> Figures:
    """The model's where it has foretold enough verdicts, else the judge's."""
    rows = store.foretold(workspace.database, actor, LAST)
    by_model = [row for row in rows if row.chance is not None]
    if len(by_model) >= FEWEST:
        return _held("model", EVEN, [(row.chance, row) for row in by_model])
    threshold = workspace.settings.recall.threshold
    return _held("judge", threshold, [(row.bits, row) for row in rows if row.bits is not None])


def _held(by: Literal["model", "judge"], threshold: float, rows: list[tuple[float | None, ForetoldRow]]) -> Figures:
    said = [(value is not None and value >= threshold, row.accepted) for value, row in rows]
    return Figures(
        by,
        threshold,
        Share(sum(foretold == accepted for foretold, accepted in said), len(said)),
        Share(sum(accepted for foretold, accepted in said if foretold), sum(foretold for foretold, _ in said)),
    )


def review_figures(workspace: Workspace, actor: str) -> ReviewFigures:
    """Everything at once."""
    found = store.find_learned(workspace.database, actor)
    model = None if found is None else {"decisions": found.decisions, "at": found.at, **found.report}
    return ReviewFigures(
        figures(workspace, actor),
        model,
        blind_sample(workspace.database, actor),
        consistency(workspace.database, actor),
    )
