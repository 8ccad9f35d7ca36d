"""What an evaluation will measure, said before it starts: whose weights, which systems, how long. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.adapters.bases import base_of
from core.errors import UsageError
from core.fidelity.launch import EVALUATE_KIND
from core.fidelity.seen import HeldOut
from core.fidelity.systems import chosen_systems
from core.retrieval.retrievers import find_retriever, retriever_in_use
from core.runs.journal import list_runs
from core.store.adapters import AdapterRow, active_adapter, find_adapter, list_adapters
from core.store.datasets import completes_logs
from core.workspace import Workspace

GUESSED_SECONDS = 1.6
"""For one system's likelihood of one real answer and its own answer: SmolLM2-135M on two cores of a CPU."""
GUESSED_RECALL = 1.7
"""Seconds to recall for one question, once for all systems."""
GUESSED_START = 20.0
"""Seconds to load the models."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Which adapter plays which part, and which retriever finds memories; None where there is none."""

    memories: AdapterRow | None
    plain: AdapterRow | None
    control: tuple[Workspace, AdapterRow] | None
    retriever: dict[str, str] | None
    """``name`` and ``hash``, which is empty where its card cannot be read."""
    notes: list[str]
    """What one must know of these: why one that is there was not used, what nobody can tell of one that is."""

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
    counts = [len(asked[: params.get("limit") or None]) for asked in HeldOut(workspace).questions.values()]
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
    """Which adapters an evaluation with these params uses, and which retriever. Raises UsageError."""
    database = workspace.database
    adapters = list_adapters(database)
    named = params.get("adapter")
    if named:
        memories = find_adapter(database, named)
        if memories is None:
            raise UsageError(f"no adapter {named!r} here", "see `simulee adapters list`")
        if completes_logs(database, memories.dataset_id):
            raise UsageError(f"{named} goes on with logs: no system asks it so", "name one trained with memories")
        if not memories.memories:
            raise UsageError(f"{named} was trained without memories: it is b3, not b4", "name one trained with them")
    else:
        active = active_adapter(database)
        trained = [each for each in adapters if each.memories]
        memories = active if active and active.memories else (trained[-1] if trained else None)
    notes: list[str] = []
    held = HeldOut(workspace)
    plain = _newest_plain(workspace, memories, notes)
    clean = [each for each in (memories, plain) if each and _unspoiled(held, each, notes)]
    return Weights(
        memories if memories in clean else None,
        plain if plain in clean else None,
        _control(Path(params["control"])) if params.get("control") else None,
        _retriever(workspace, held, notes),
        notes,
    )


def _newest_plain(workspace: Workspace, memories: AdapterRow | None, notes: list[str]) -> AdapterRow | None:
    """The newest adapter that was trained on chats without memories, on the base of the one with them; a note says so
    where a newer one was trained on logs, which a chat template shows as it never saw them."""
    base = base_of(workspace, memories) if memories else None
    of_base = [
        each
        for each in list_adapters(workspace.database)
        if not each.memories and (base is None or base_of(workspace, each) == base)
    ]
    for adapter in reversed(of_base):
        if not completes_logs(workspace.database, adapter.dataset_id):
            return adapter
        if adapter is of_base[-1]:
            notes.append(f"{adapter.name} goes on with logs and was never asked in a chat, so it is not measured.")
    return None


def _control(root: Path) -> tuple[Workspace, AdapterRow]:
    """Another person's workspace and its adapter in use. Raises UsageError."""
    other = Workspace.open(root)
    adapter = active_adapter(other.database)
    if adapter is None:
        raise UsageError(f"{other.root} has no trained adapter", "train one there: simulee -w DIR train sft")
    if completes_logs(other.database, adapter.dataset_id):
        raise UsageError(
            f"{adapter.name}, in use in {other.root}, goes on with logs: no system asks it so",
            "use another one there: simulee -w DIR adapters use ID",
        )
    return other, adapter


def _unspoiled(held: HeldOut, adapter: AdapterRow, notes: list[str]) -> bool:
    """Whether an adapter never saw what will be measured on; a note says so when it did, or may have."""
    seen = held.seen_by(adapter)
    if seen.conversations:
        count = len(seen.conversations)
        notes.append(f"{adapter.name} was trained on {count} of the held-out conversations, so it is not measured.")
    elif not seen.known:
        notes.append(
            f"Not all that {adapter.name} was trained on is here to be looked at: it may know what it is measured on."
        )
    return not seen.conversations


def _retriever(workspace: Workspace, held: HeldOut, notes: list[str]) -> dict[str, str] | None:
    """The retriever in use, unless it learned from what will be measured on; notes say which it is, and whether it
    did, or may have."""
    name = retriever_in_use(workspace.adapters) if workspace.settings.retrieval.query_head else ""
    if not name:
        return None
    retriever = find_retriever(workspace.adapters, name)
    seen = held.seen_by_retriever(retriever) if retriever else None
    if seen and seen.conversations:
        count = len(seen.conversations)
        notes.append(
            f"The retriever {name} learned from {count} of the held-out conversations: memories are found without it."
        )
        return None
    found = {"name": name, "hash": retriever.hash if retriever else ""}
    notes.append(
        "Memories are found with the retriever " + (f"{name} ({retriever.hash})." if retriever else f"{name}.")
    )
    if seen is None or not seen.known:
        notes.append(f"Nobody can tell what {name} learned from: it may know what is measured on.")
    return found


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
