"""``simulee recall``: recall memories for every question that was asked, and see which passages are used."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.errors import ModelError, UsageError
from core.journey import RECALL
from core.models.roles import ENGINES, check_role
from core.recall.coverage import coverage as coverage_of
from core.recall.estimate import RoleEstimate, estimate_recall
from core.recall.load import with_engines
from core.review.queue import stats
from tui.coverage import coverage_lines
from tui.face import DONE_IN_PART, Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def recall(
    face: Face,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N exchanges.")] = None,
    writer: Annotated[str | None, typer.Option("--writer", metavar="ENGINE", help="Retell with this engine.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", metavar="ENGINE", help="Judge with this engine.")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only tell what it would ask of models.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Only tell which passages the memories come from, and which never do.")
    ] = False,
) -> None:
    """Write candidate memories for every question the target was asked, and judge them.

    Example: simulee recall --writer llama.cpp --judge llama.cpp --estimate
    """
    workspace = face.workspace()
    if coverage:
        report = coverage_of(workspace.database)
        face.result(asdict(report) | {"share": round(report.share, 4)}, coverage_lines(report))
        return
    engines = {role: engine for role, engine in (("writer", writer), ("judge", judge)) if engine}
    settings = with_engines(workspace.settings, engines)
    for role in engines:
        try:
            check_role(role, getattr(settings.models, role))
        except ModelError as error:
            raise UsageError(str(error), f"simulee recall --{role} {ENGINES[role][0]}") from None
    expected = estimate_recall(workspace, settings, limit)
    if estimate:
        face.result({"estimate": [asdict(each) for each in expected]}, _told(expected))
        return
    for line in _told(expected) if expected else []:
        face.note(line)
    params: dict[str, Any] = ({"limit": limit} if limit else {}) | ({"engines": engines} if engines else {})
    done = face.work(workspace, *RECALL, params, detach)
    if done is None:
        return
    waiting = stats(workspace.database).pending
    lines = [
        f"{done['candidates']} candidate memories for {done['recalled']} of {done['exchanges']} questions;"
        f" {waiting} wait for review"
    ]
    if done["dropped"]:
        lines.append("Left out: " + ", ".join(f"{number} {reason}" for reason, number in done["dropped"].items()))
    if done["calls"] or done["cached"]:
        cost = f", cost {done['cost']:.2f}" if done["cost"] else ""
        lines.append(f"{done['calls']} calls, {done['cached']} answers were known already{cost}")
    if done["parked"]:
        reasons = ", ".join(f"{number} {reason}" for reason, number in done["parked"].items())
        lines.append(f"Parked: {reasons}. The same command takes them up again.")
    face.result(done | {"pending": waiting}, [*lines, "Next: simulee review --next 5"])
    if done["parked"]:
        raise typer.Exit(DONE_IN_PART)


def _told(expected: list[RoleEstimate]) -> list[str]:
    if not expected:
        return ["Nothing is asked of a model: the writer quotes, and the judge compares likelihoods in this machine."]
    return [
        f"{each.role}: up to {each.calls} calls to {each.model}, about {each.prompt_tokens} tokens in and"
        f" {each.answer_tokens} out{'' if each.cost is None else f', cost up to {each.cost:.2f}'}"
        for each in expected
    ]
