"""How an answer in hybrid mode came about, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.safe_text import safe_line

if TYPE_CHECKING:
    from core.twin.hybrid.turn import Hybrid


def hybrid_lines(hybrid: Hybrid | None, show_simulation: bool) -> list[str]:
    """A mark where it fell back, and the simulated chat where it is asked for."""
    if hybrid is None:
        return []
    lines = [fallen_back(hybrid.why, hybrid.outcome == "plain")] if hybrid.fell_back else []
    if show_simulation:
        lines.append(f"  simulated by {safe_line(hybrid.adapter) or 'the base'}:")
        lines += [f"    {safe_line(each.name)}: {safe_line(each.text)}" for each in hybrid.simulation]
    return lines


def fallen_back(why: str, plain: bool = False) -> str:
    """The mark of an answer that is not what was merged."""
    said = "an answer without a simulation" if plain else "the simulated turn"
    return f"  ↩ fell back to {said}: {safe_line(why)}"


def hybrid_values(hybrid: Hybrid | None, show_simulation: bool) -> dict[str, Any]:
    """``hybrid`` and ``simulation``, both null where there is none."""
    if hybrid is None:
        return {"hybrid": None, "simulation": None}
    values = hybrid.stored()
    simulation = values.pop("simulation")
    return {"hybrid": values, "simulation": simulation if show_simulation else None}
