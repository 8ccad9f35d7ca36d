"""Everything that a model card tells of an adapter, gathered from the store and the base's files, in one value."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.adapters.base_license import License, license_of
from core.adapters.files import is_lora
from core.adapters.preferences import learned_by
from core.adapters.taint import Taint, taint_of
from core.models.packaged import hub_name
from core.review.decisions import fold
from core.store.adapters import INHERITED, INHERITED_PREFERENCES, AdapterRow
from core.store.datasets import DatasetRow, dataset_of, split_sizes
from core.store.decisions import list_decisions
from core.store.origins import languages, shown_memories
from core.store.scorecards import newest_scorecard
from core.workspace import Workspace

OWN_MATTER = ("preferences", INHERITED, INHERITED_PREFERENCES)
"""Settings that a card counts in place of showing them."""
FILES = ("file", "general_text")
"""Settings that name a file of the machine that trained."""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The dataset behind an adapter."""

    id: str
    hash: str
    samples: int
    """Of the training split."""
    validation: int
    trained_tokens: int
    memories: int
    """Different ones that the training samples show."""
    decided: dict[str, int]
    """Of these, how many stood by a decision of a person, of a rule, or of an import when the dataset was frozen."""


@dataclass(frozen=True, slots=True)
class Preferred:
    """The judgements behind an adapter."""

    count: int
    origins: dict[str, int]
    """Of those that are here: a pair's origin, ``rating`` or ``file``."""
    decided: dict[str, int]
    """Of these, how many a person, a rule or an import decided so."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The newest evaluation that used the adapter."""

    id: int
    at: str
    questions: int
    systems: dict[str, dict[str, dict[str, float]]]
    """System → metric → value, low, high."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One adapter, told to whoever gets it."""

    name: str
    target: str
    base: str
    hub: str
    """The base's name on the model hub; empty for a folder of this machine."""
    revision: str
    license: License
    languages: tuple[str, ...]
    hash: str
    created_at: str
    is_lora: bool
    """Rather than a training of every weight."""
    with_memories: bool
    settings: dict[str, Any]
    trained_on: TrainedOn | None
    preferred: Preferred | None
    """None where it was trained on no judgements."""
    scores: Scores | None
    taint: Taint
    version: str
    """Of simulee."""


def facts_of(workspace: Workspace, adapter: AdapterRow) -> Facts:
    """Gather them as they are now."""
    database = workspace.database
    dataset = dataset_of(database, adapter.dataset_id) if adapter.dataset_id else None
    return Facts(
        name=adapter.name,
        target=workspace.target,
        base=adapter.base,
        hub=hub_name(adapter.base),
        revision=adapter.revision,
        license=license_of(adapter.base),
        languages=tuple(languages(database, dataset.id)) if dataset else (),
        hash=adapter.hash,
        created_at=adapter.created_at,
        is_lora=is_lora(adapter),
        with_memories=bool(adapter.memories),
        settings=_shown_settings(adapter),
        trained_on=_trained_on(workspace, dataset) if dataset else None,
        preferred=_preferred(workspace, adapter),
        scores=_newest_scores(workspace, adapter),
        taint=taint_of(workspace, adapter),
        version=_version(),
    )


def _told(name: str, value: Any) -> Any:
    """A setting as it may leave: of a file only what it is called."""
    return Path(value).name if name in FILES and isinstance(value, str) else value


def _trained_on(workspace: Workspace, dataset: DatasetRow) -> TrainedOn:
    database = workspace.database
    sizes = split_sizes(database, dataset.id)
    shown = shown_memories(database, dataset.id)
    log = {row.id: row for row in list_decisions(database) if row.id <= dataset.decision}
    standing = {uid: log[decision] for (kind, uid), (_, _, decision) in fold(log.values()).items() if kind == "memory"}
    train, validation = sizes.get("train"), sizes.get("validation")
    return TrainedOn(
        id=f"ds{dataset.id}",
        hash=dataset.hash,
        samples=train.examples if train else 0,
        validation=validation.examples if validation else 0,
        trained_tokens=train.trained_tokens if train else 0,
        memories=len(shown),
        decided=dict(Counter(standing[uid].actor_kind for uid in sorted(shown & standing.keys()))),
    )


def _preferred(workspace: Workspace, adapter: AdapterRow) -> Preferred | None:
    learned, missing = learned_by(workspace, adapter)
    if not learned and not missing:
        return None
    decided = Counter(each.decided for each in learned if each.decided)
    return Preferred(
        len(learned) + missing, dict(sorted(Counter(each.origin for each in learned).items())), dict(decided)
    )


def _shown_settings(adapter: AdapterRow) -> dict[str, Any]:
    """What a person chose: uids say nothing to anyone else."""
    return {key: _told(key, value) for key, value in sorted(adapter.settings.items()) if key not in OWN_MATTER}


def _newest_scores(workspace: Workspace, adapter: AdapterRow) -> Scores | None:
    newest = newest_scorecard(workspace.database, adapter)
    if newest is None:
        return None
    number, at, result = newest
    systems = {
        name: {metric: figure for metric, figure in each.get("metrics", {}).items() if isinstance(figure, dict)}
        for name, each in result.get("systems", {}).items()
    }
    return Scores(number, at, len(result.get("questions", ())), systems)


def _version() -> str:
    try:
        return importlib.metadata.version("simulee")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout"
