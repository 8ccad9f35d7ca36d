"""What an evaluation will measure, said before it starts: whose weights, which systems, how long. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.corpus.holdout import expected_splits
from core.errors import UsageError
from core.fidelity.launch import EVALUATE_KIND
from core.fidelity.systems import chosen_systems
from core.runs.journal import list_runs
from core.store.adapters import AdapterRow, active_adapter, datasets_behind, find_adapter, list_adapters
from core.store.conversations import exchanges_of, trainable_conversations
from core.store.datasets import trained_conversations
from core.workspace import Workspace

GUESSED_SECONDS = 1.6
"""For one system's likelihood of one real answer and its own answer: SmolLM2-135M on two cores of a CPU."""
GUESSED_RECALL = 1.7
"""Seconds to recall for one question, once for all systems."""
GUESSED_START = 20.0
"""Seconds to load the models."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Which adapter plays which part; None where there is none."""

    memories: AdapterRow | None
    plain: AdapterRow | None
    control: tuple[Workspace, AdapterRow] | None
    notes: list[str]
    """Why an adapter that is there was not used."""

    def parts(self) -> set[str]:
        """Whose weights there are, by the parts of ``System.weights``."""
        found = {"memories": self.memories, "plain": self.plain, "control": self.control}
        return {"base", *(part for part, owned in found.items() if owned)}


@dataclass(frozen=True, slots=True)
class Plan:
    """An evaluation before it runs."""

    adapter: str
    """The one trained with memories; empty where there is none."""
    systems: tuple[str, ...]
    missing: tuple[str, ...]
    """Systems that cannot run, for want of an adapter."""
    interviews: int
    questions: int
    seconds: float
    measured: bool
    """Whether ``seconds`` comes from an earlier evaluation here; what it answered already is not asked again."""
    notes: tuple[str, ...]


def plan(workspace: Workspace, params: dict[str, Any]) -> Plan:
    """What the run with these params will do. Raises UsageError for what it would refuse."""
    weights = weights_of(workspace, params)
    wanted = chosen_systems(params.get("systems"))
    parts = weights.parts()
    systems = tuple(system.name for system in wanted if system.weights in parts)
    held = {uid for uid, split in expected_splits(workspace).items() if split == "heldout"}
    counts = [
        len([each for each in exchanges_of(workspace.database, row.id) if each.question][: params.get("limit") or None])
        for row in trainable_conversations(workspace.database)
        if row.uid in held
    ]
    if not any(counts):
        raise UsageError(
            "no conversation is held out, so there is nothing to measure against",
            "import at least four dated interviews, or name one: simulee dataset build --heldout ID",
        )
    if weights.control:
        weights.control[0].database.close()
    questions = sum(counts)
    pace = _pace(workspace)
    guessed = GUESSED_START + questions * (GUESSED_RECALL + GUESSED_SECONDS * len(systems))
    return Plan(
        weights.memories.name if weights.memories else "",
        systems,
        tuple(system.name for system in wanted if system.weights not in parts),
        len(counts),
        questions,
        pace * questions * len(systems) or guessed,
        pace > 0,
        tuple(weights.notes),
    )


def weights_of(workspace: Workspace, params: dict[str, Any]) -> Weights:
    """Which adapters an evaluation with these params uses. Raises UsageError."""
    database = workspace.database
    adapters = list_adapters(database)
    named = params.get("adapter")
    if named:
        memories = find_adapter(database, named)
        if memories is None:
            raise UsageError(f"no adapter {named!r} here", "see `simulee adapters list`")
        if not memories.memories:
            raise UsageError(f"{named} was trained without memories: it is b3, not b4", "name one trained with them")
    else:
        active = active_adapter(database)
        trained = [each for each in adapters if each.memories]
        memories = active if active and active.memories else (trained[-1] if trained else None)
    plain = [each for each in adapters if not each.memories and (memories is None or each.base == memories.base)]
    control = None
    if params.get("control"):
        other = Workspace.open(Path(params["control"]))
        adapter = active_adapter(other.database)
        if adapter is None:
            raise UsageError(f"{other.root} has no trained adapter", "train one there: simulee -w DIR train sft")
        control = (other, adapter)
    notes: list[str] = []
    clean = [each for each in (memories, plain[-1] if plain else None) if each and _unspoiled(workspace, each, notes)]
    return Weights(
        memories if memories in clean else None, plain[-1] if plain and plain[-1] in clean else None, control, notes
    )


def _unspoiled(workspace: Workspace, adapter: AdapterRow, notes: list[str]) -> bool:
    """Whether an adapter never saw what will be measured on; a note says so when it did."""
    database = workspace.database
    held = {uid for uid, split in expected_splits(workspace).items() if split == "heldout"}
    behind, _ = datasets_behind(database, adapter)
    seen = held & {uid for dataset in behind for uid in trained_conversations(database, dataset)}
    if seen:
        notes.append(f"{adapter.name} was trained on {len(seen)} of the held-out conversations, so it is not measured.")
    return not seen


def _pace(workspace: Workspace) -> float:
    """Seconds per question and system of the slowest evaluation that this machine did: a later one finds much of its
    work done."""
    paces = []
    for run in list_runs(workspace.runs):
        if run.kind != EVALUATE_KIND or run.state != "done" or run.brought:
            continue
        scorecard = run.result.get("scorecard", {})
        asked = sum(each["exchanges"] for each in scorecard.get("interviews", ())) * len(scorecard.get("systems", ()))
        if asked and scorecard.get("seconds"):
            paces.append(scorecard["seconds"] / asked)
    return max(paces, default=0.0)
