"""How an answer in hybrid mode came about, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.safe_text import safe_line

if TYPE_CHECKING:
    from core.twin.hybrid.turn import Hybrid


def fall_back_lines(hybrid: Hybrid | None) -> list[str]:
    """The mark of an answer that is not what was merged."""
    if hybrid is None or not hybrid.fell_back:
        return []
    said = "an answer without a simulation" if hybrid.outcome == "plain" else "the simulated turn"
    return [f"fell back to {said}: {safe_line(hybrid.why)}"]


def simulation_lines(hybrid: Hybrid | None) -> list[str]:
    """The simulated chat, others' invented lines among it."""
    if hybrid is None:
        return []
    by = safe_line(hybrid.adapter) or "the base model"
    return [
        f"  simulated by {by}:",
        *(f"    {safe_line(each.name)}: {safe_line(each.text)}" for each in hybrid.simulation),
    ]


def hybrid_values(hybrid: Hybrid | None, show_simulation: bool) -> dict[str, Any]:
    """``hybrid`` and ``simulation``, both null where there is none."""
    if hybrid is None:
        return {"hybrid": None, "simulation": None}
    values = hybrid.stored()
    simulation = values.pop("simulation")
    return {"hybrid": values, "simulation": simulation if show_simulation else None}
