"""What a hosted job would be sent and would cost, said before anything leaves. Imports no client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.calls.budget import PER_MILLION
from core.calls.consent import leaves_the_machine
from core.dataset.export import find_dataset
from core.errors import BudgetError, DatasetError
from core.models.hosts import host_of
from core.settings import HostedSettings
from core.store.datasets import examples_of
from core.training.hosted.clearance import Cleared, clear
from core.training.hosted.training_file import content_of, problems_of, problems_of_rows
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class HostedPlan:
    """One job before it starts."""

    dataset: str
    host: str
    """``name:port``."""
    model: str
    """What is fine-tuned."""
    samples: int
    """Of the training split; no other split is sent."""
    left_out: dict[str, int]
    """Reason → samples that may not go."""
    bytes: int
    tokens: int
    """Of the file, by the tokens of the base that the dataset was packed for; the host counts by its own."""
    epochs: int
    trained_tokens: int
    """Every epoch counted: what a host charges for."""
    cost: float | None
    """In the currency of the price; None where no price is set."""
    max_cost: float | None
    problems: tuple[str, ...]
    """What the host would refuse, one line each."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what would leave."""

    plan: HostedPlan
    content: bytes
    about: tuple[str, ...]
    """uids of the conversations, exchanges and documents whose words it holds."""


def prepare(workspace: Workspace, params: dict[str, Any]) -> Prepared:
    """The job of these ``hosted_params``. Raises UsageError without the dataset."""
    settings = HostedSettings(**params["settings"])
    host = host_of(settings.address)
    dataset = find_dataset(workspace, params["dataset"])
    cleared = clear(workspace, examples_of(workspace.database, dataset.id, "train"), leaves_the_machine(host))
    content = content_of(cleared.rows)
    tokens = sum(row.tokens for row in cleared.rows)
    plan = HostedPlan(
        dataset=f"ds{dataset.id}",
        host=host,
        model=settings.model,
        samples=len(cleared.rows),
        left_out=cleared.left_out,
        bytes=len(content),
        tokens=tokens,
        epochs=settings.epochs,
        trained_tokens=tokens * settings.epochs,
        cost=cost_of(tokens * settings.epochs, settings),
        max_cost=settings.max_cost,
        problems=tuple(_problems(cleared, content)),
    )
    return Prepared(plan, content, cleared.about)


def check_plan(plan: HostedPlan) -> None:
    """Raises DatasetError for a file that may not go or that the host would refuse, BudgetError over the cap."""
    if not plan.samples:
        reasons = ", ".join(f"{count} {reason}" for reason, count in plan.left_out.items()) or "it has none"
        raise DatasetError(
            f"no sample of {plan.dataset} may go to {plan.host}: {reasons}", "see `simulee dataset show`, or [privacy]"
        )
    if plan.problems:
        more = f", and {len(plan.problems) - 1} more problems" if len(plan.problems) > 1 else ""
        raise DatasetError(
            f"{plan.host} would refuse the file: {plan.problems[0]}{more}", "simulee train hosted --estimate tells all"
        )
    if plan.cost is not None and plan.max_cost is not None and plan.cost > plan.max_cost:
        raise BudgetError(
            f"the job would cost about {plan.cost:.2f}, over [training.hosted] max_cost = {plan.max_cost:g}",
            "raise it in persona.toml, take fewer --epochs, or train on this machine: simulee train sft",
        )


def cost_of(trained_tokens: int, settings: HostedSettings) -> float | None:
    """What so many tokens cost; None where no price is set."""
    return trained_tokens * settings.price / PER_MILLION if settings.price else None


def _problems(cleared: Cleared, content: bytes) -> list[str]:
    # With nothing to send there is a better word for it than that the file is short.
    return problems_of_rows(cleared.rows) + problems_of(content) if cleared.rows else []
