"""The ladder of systems, and the text controls that stand beside it (METHODS §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import UsageError


@dataclass(frozen=True, slots=True)
class System:
    """One way to answer: which weights, and which memories its prompt shows."""

    name: str
    title: str
    weights: Literal["base", "memories", "plain", "control"]
    """The base, the adapter trained with memories, the one trained without, or another person's."""
    shown: Literal["none", "recalled", "shuffled"]


SYSTEMS = {
    system.name: system
    for system in (
        System("b0", "base model and a name", "base", "none"),
        System("b2", "base with memories", "base", "recalled"),
        System("b3", "trained without memories", "plain", "none"),
        System("b4", "trained, with memories", "memories", "recalled"),
        System("b4-none", "b4, memories withheld", "memories", "none"),
        System("b4-shuffled", "b4, memories of another question", "memories", "shuffled"),
        System("b4-control", "another person's training, these memories", "control", "recalled"),
    )
}
DEFAULT_SYSTEMS = ("b0", "b2", "b3", "b4", "b4-shuffled", "b4-control")


def chosen_systems(names: list[str] | None) -> list[System]:
    """The systems with these names, in the order of the ladder. Raises UsageError for an unknown one."""
    wanted = list(DEFAULT_SYSTEMS) if names is None else names
    unknown = [name for name in wanted if name not in SYSTEMS]
    if unknown:
        raise UsageError(f"no system {unknown[0]!r}", f"choose among: {', '.join(SYSTEMS)}")
    return [system for name, system in SYSTEMS.items() if name in wanted]
