"""Where a merge drifts: facts that CONTEXT does not hold, an assistant's voice, another style, another length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.twin.hybrid.claims import Checked
from core.twin.hybrid.style import Style, assistant_phrase

OFF = 2.0
"""A merge may be this much longer or shorter than the simulated turn."""
SHORT_WORDS = 8
"""A difference of so few words is none."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What a merge was found to be. ``reasons`` is empty where it holds."""

    reasons: tuple[str, ...]
    before: float | None = None
    """Style distance of the simulated turn; None where the target's style is not known."""
    after: float | None = None
    """Of the merge."""


def drift_of(
    merged: str, turn: str, sentences: Sequence[Checked], style: Style | None, most: float, judge_length: bool = True
) -> Drift:
    """Judge a merge by the simulated turn that it is made of. ``most`` is the style distance that it may grow by."""
    reasons = []
    if not merged.strip():
        reasons.append("the merge is empty")
    if phrase := assistant_phrase(merged):
        reasons.append(f"an assistant's words: {phrase}")
    wrong = [each for each in sentences if each.verdict == "unsupported"]
    if wrong:
        reasons.append(f"not in CONTEXT ({wrong[0].why}): {wrong[0].sentence}")
    said, simulated = len(merged.split()), len(turn.split())
    if judge_length and abs(said - simulated) > SHORT_WORDS and not simulated / OFF <= said <= simulated * OFF:
        reasons.append(f"{said} words where the simulation has {simulated}")
    before = after = None
    distances = style.distances(turn, merged) if style is not None else None
    if distances is not None:
        before, after = distances
        if after - before > most:
            reasons.append(f"the style is farther off: {before:.2f} before, {after:.2f} after")
    return Drift(tuple(reasons), before, after)
