"""What the review screen and ``simulee review`` say of the review itself, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.review.blind import FEWEST_REACHING, BlindSample, RuleReport
from core.review.figures import Figures, ReviewFigures
from core.review.second_looks import Consistency

VERDICTS = {"accept": "accepted", "edit": "accepted", "reject": "rejected"}
SHOWN = 20
"""Contradictions that are listed."""
BLIND_CARD = "hidden on this card: decide by what you read"
"""In the place of the judges' figures."""
BY = {"model": "the model", "judge": "the judge"}


def time_left(seconds: float) -> str:
    """Rounded as one says it: ``40 s``, ``12 min``, ``3 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.0f} h"


def agrees(figures: Figures | None) -> str:
    """For the line of the judges; empty before it can be said."""
    if figures is None or not figures.enough or figures.agreement.value is None:
        return ""
    return f"agrees with you {figures.agreement.value:.0%}"


def foretelling(figures: Figures | None, room: int) -> str:
    """For the line under the header: as much of it as has room."""
    if figures is None or not figures.enough or figures.agreement.value is None:
        return ""
    said = f"{figures.by} agrees {figures.agreement.value:.0%} of last {figures.agreement.count}"
    if figures.precision.count:
        whole = f"{said} · at {figures.threshold:g} right {figures.precision.words}"
        said = whole if len(whole) <= room else said
    return said if len(said) <= room else ""


def figure_lines(found: ReviewFigures, name: str) -> list[str]:
    """Everything that is known of a person's review, line by line."""
    return [
        f"Figures of {name}'s review",
        "",
        *_foretold(found.figures),
        *_model(found),
        *_blind(found.blind),
        *_consistency(found.consistency),
    ]


def _foretold(figures: Figures) -> list[str]:
    if not figures.agreement.count:
        return ["foretold        nothing yet: no verdict of yours was foretold"]
    shown = f"by {BY[figures.by]}, before each of your last {figures.agreement.count} verdicts"
    lines = [
        f"foretold        {shown}",
        f"  agreement     {figures.agreement.words}",
        f"  precision     {figures.precision.words} foretold to be kept, from {figures.threshold:g} up",
    ]
    if figures.by == "model":
        lines.append("                in the uncertain-first order these are the hardest cards: elsewhere it is better")
    return lines


def _model(found: ReviewFigures) -> list[str]:
    model = found.model
    if model is None:
        return ["model           none yet: it is learned after 30 verdicts, at least 5 of each kind"]
    bins = ", ".join(f"{each['foretold']:.0%}→{each['accepted']:.0%}" for each in model["reliability"])
    strongest = sorted(model["weights"].items(), key=lambda pair: -abs(pair[1]))[:5]
    return [
        f"model           learned from {model['decisions']} verdicts, {model['accepted']} of them accepted",
        f"  Brier score   {model['brier']:.3f} out of sample; the base rate alone {model['base_brier']:.3f}",
        f"  foretold→kept {bins}",
        "  goes by       " + ", ".join(f"{feature} {weight:+.2f}" for feature, weight in strongest),
    ]


def _blind(blind: BlindSample) -> list[str]:
    if not blind.drawn:
        return ["blind sample    none drawn: b draws one, and then --auto T can state its precision"]
    return [
        f"blind sample    {blind.drawn} drawn, {blind.decided} decided, {blind.accepted} of them accepted",
        f"                --auto T needs {FEWEST_REACHING} of the decided ones at T or above",
    ]


def _consistency(seen: Consistency) -> list[str]:
    if not seen.agreement.count:
        return ["second looks    none yet: one decided card in twenty comes back unmarked"]
    beyond = "cannot be said: all verdicts are the same" if seen.kappa is None else f"{seen.kappa:.2f}"
    return [
        f"second looks    you agree with yourself on {seen.agreement.words}",
        f"  Cohen's kappa {beyond}",
        f"  contradicted  {len(seen.contradictions)}",
        *(
            f"    {VERDICTS[each.first]}, then {VERDICTS[each.second]}{' (settled)' if each.settled else ''}:"
            f" {each.card_uid} {each.title or each.text[:60]}"
            for each in seen.contradictions[:SHOWN]
        ),
    ]


def figures_told(found: ReviewFigures) -> dict[str, Any]:
    """The same for JSON."""
    seen = found.consistency
    return {
        "foretold": {
            "by": found.figures.by,
            "threshold": found.figures.threshold,
            "agreement": found.figures.agreement.told(),
            "precision": found.figures.precision.told(),
        },
        "model": found.model,
        "blind": asdict(found.blind),
        "consistency": {
            **seen.agreement.told(),
            "kappa": None if seen.kappa is None else round(seen.kappa, 4),
        },
        "contradictions": [asdict(each) for each in seen.contradictions],
    }


def rule_lines(report: RuleReport, name: str) -> list[str]:
    """What a rule did, and what it is known to be worth."""
    measured = report.measured
    meant = {"model": f"the chance that {name} accepts", "judge": "the judge's bits per question token"}[report.by]
    lines = [
        f"accepted {report.accepted}, rejected {report.rejected}, by the rule {report.rule}; T is {meant}",
        f"precision at {report.threshold:g} on {name}'s blind sample: {measured.precision.words} were accepted (95%)",
        f"of what {name} accepts it keeps {measured.kept.words}",
    ]
    if measured.undecided:
        lines.append(f"{measured.undecided} of the drawn memories have no verdict: if that has a reason, these are off")
    if measured.later:
        lines.append(f"{measured.later} of the memories came after the draw: the sample says nothing of them")
    return lines


def rule_told(report: RuleReport) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "rule": report.rule,
        "by": report.by,
        "threshold": report.threshold,
        "accepted": report.accepted,
        "rejected": report.rejected,
        "precision": report.measured.precision.told(),
        "kept": report.measured.kept.told(),
        "undecided": report.measured.undecided,
        "later": report.measured.later,
    }
