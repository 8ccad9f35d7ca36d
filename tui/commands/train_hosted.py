"""``simulee train hosted``: fine-tune at a host that speaks OpenAI's fine-tuning interface."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.calls.consent import check_host
from core.dataset.export import find_dataset
from core.training.hosted.launch import HOSTED_ENTRY, HOSTED_KIND, hosted_params, refuse_beside_a_job
from core.training.hosted.plan import HostedPlan, check_plan, prepare
from tui.face import Face


def hosted(
    face: Face,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="ID", help="Default: the newest.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="M", help="What the host fine-tunes.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", metavar="URL", help="Where the host answers.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option("--api-key-env", metavar="NAME", help="The variable that holds its key.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Times through the data.")] = None,
    suffix: Annotated[str | None, typer.Option("--suffix", help="Part of the new model's name.")] = None,
    estimate_only: Annotated[
        bool, typer.Option("--estimate", help="Say what would be sent and what it would cost. Sends nothing.")
    ] = False,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="RUN", help="Cancel the job of this run at its host.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return.")] = False,
) -> None:
    """Fine-tune at a host: one upload, one job, then watch it. Your words leave this machine, with your consent.

    The host, the model and the price stand in [training.hosted] of persona.toml. Ctrl+C only stops watching:
    --cancel RUN ends the job itself.

    Example: simulee train hosted --base-url https://api.example.org/v1 --model small-1 --estimate
    """
    workspace = face.workspace()
    if cancel is not None:
        from core.training.hosted.cancel import NO_JOB, cancel_at_host

        ended = cancel_at_host(workspace, cancel)
        line = (
            f"{ended.host} has no job of {ended.run}: there is nothing to cancel"
            if ended.status == NO_JOB
            else f"{ended.job} is {ended.status} at {ended.host}"
        )
        face.result(asdict(ended), [line])
        return
    params = hosted_params(
        workspace, find_dataset(workspace, dataset).hash,
        model=model, base_url=base_url, api_key_env=api_key_env, epochs=epochs, suffix=suffix,
    )  # fmt: skip
    plan = prepare(workspace, params).plan
    if estimate_only:
        face.result({"estimate": asdict(plan)}, plan_lines(plan))
        return
    for line in plan.problems:
        face.note(f"  {line}")
    check_plan(plan)
    refuse_beside_a_job(workspace)
    check_host(plan.host, workspace.settings.privacy, workspace.database)
    face.note(f"  {brief_plan(plan)}")
    done = face.work(workspace, HOSTED_KIND, HOSTED_ENTRY, params, detach)
    if done is not None:
        face.result(done, _result_lines(done))


def plan_lines(plan: HostedPlan) -> list[str]:
    """A hosted job before it starts, for a terminal."""
    capped = f", of {plan.max_cost:g} that it may" if plan.max_cost is not None else ""
    cost = "not known: set [training.hosted] price" if plan.cost is None else f"about {plan.cost:.2f}{capped}"
    rows = [
        ("host", plan.host),
        ("model", plan.model),
        ("dataset", f"{plan.dataset} · {plan.samples} samples · {plan.bytes:,} bytes"),
        ("tokens", f"{plan.tokens:,} · {plan.epochs} epochs · {plan.trained_tokens:,} trained"),
        ("cost", cost),
    ]
    left = _left_out(plan.left_out)
    return [
        *(f"{what:<8} {how_much}" for what, how_much in [*rows, *([("stays", left)] if left else [])]),
        *(f"problem  {problem}" for problem in plan.problems),
    ]


def brief_plan(plan: HostedPlan) -> str:
    """A hosted job on one line."""
    cost = "" if plan.cost is None else f", about {plan.cost:.2f}"
    left = _left_out(plan.left_out)
    return (
        f"{plan.samples} samples go to {plan.host}: {plan.trained_tokens:,} trained tokens{cost}"
        f"{'; stays: ' + left if left else ''}"
    )


def _result_lines(done: dict[str, Any]) -> list[str]:
    cost = "" if done["cost"] is None else f", cost {done['cost']:.2f}"
    lines = [f"{done['model']}: {done['samples']} samples, {done['trained_tokens']:,} trained tokens{cost}"]
    left = _left_out(done["left_out"])
    if left:
        lines.append(f"Left out: {left}")
    speaks = "To let it speak, in persona.toml:"
    return [*lines, speaks, *(f"  {line}" for line in done["persona"].splitlines())]


def _left_out(left_out: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items())
