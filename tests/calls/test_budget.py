"""Caps are hard: no call leaves that could pass one, whatever is under way, and a resumed run goes on counting."""

from __future__ import annotations

import asyncio

import pytest

from core.calls.budget import Budget
from core.calls.caller import open_caller
from core.errors import BudgetError, SettingsError
from core.models.generation import CallFailed
from core.settings import PriceSettings, RoleSettings
from core.store.model_calls import spent_by
from core.workspace import Workspace
from tests.asking import TINY, anchored, question, use_server
from tests.fault_server import FaultServer


def ask_until_stopped(workspace: Workspace, items: int, run: str) -> tuple[int, str]:
    """How many of so many asks were answered, and what stopped the others."""

    async def work() -> tuple[int, str]:
        async with open_caller(workspace, "writer", run, waits=TINY) as caller:
            done = await asyncio.gather(
                *(
                    caller.ask(question(words), anchored(words), purpose="retell", about=())
                    for words in (f"passage {number}" for number in range(items))
                ),
                return_exceptions=True,
            )
        stopped = {str(each) for each in done if isinstance(each, BudgetError)}
        assert not [each for each in done if isinstance(each, BaseException) and not isinstance(each, BudgetError)]
        return sum(isinstance(each, str) for each in done), " ".join(stopped)

    return asyncio.run(work())


def test_no_more_calls_than_the_cap_also_over_two_attempts_at_a_run(workspace: Workspace) -> None:
    with FaultServer(latency=0.005) as server:
        use_server(workspace, server, max_calls=30)
        assert ask_until_stopped(workspace, 20, "recall-1") == (20, "")
        answered, said = ask_until_stopped(workspace, 50, "recall-1")
        assert answered == 30
        assert "[models.writer] max_calls = 30" in said
        assert len(server.received) == 30
        assert ask_until_stopped(workspace, 50, "recall-2") == (50, "")


def test_money_and_tokens_stay_under_their_caps(workspace: Workspace) -> None:
    price = {"prompt": 100.0, "answer": 1000.0}
    with FaultServer(latency=0.005) as server:
        for run, name, cap in (("a", "max_cost", 0.5), ("b", "max_tokens", 1000)):
            use_server(workspace, server, price=price, **{name: cap})
            answered, said = ask_until_stopped(workspace, 400 if run == "a" else 800, run)
            assert f"[models.writer] {name}" in said
            assert answered > 5  # A cap reserves the most that each call under way could use.
            spent = spent_by(workspace.database, run, "writer")
            assert (spent.cost if run == "a" else spent.tokens) <= cap


def test_what_a_failed_call_may_have_cost_is_counted(workspace: Workspace) -> None:
    with FaultServer(mode="length") as server:
        use_server(workspace, server, price={"prompt": 1.0, "answer": 1.0}, attempts=1)

        async def work() -> None:
            async with open_caller(workspace, "writer", "r", waits=TINY) as caller:
                with pytest.raises(CallFailed):
                    await caller.ask(question("tide"), anchored("tide"), purpose="retell", about=())

        asyncio.run(work())
    assert spent_by(workspace.database, "r", "writer").tokens >= 50


def test_a_refusal_costs_nothing(workspace: Workspace) -> None:
    with FaultServer(mode="quota") as server:
        use_server(workspace, server, price={"prompt": 1.0, "answer": 1.0})

        async def work() -> None:
            async with open_caller(workspace, "writer", "r", waits=TINY) as caller:
                with pytest.raises(CallFailed):
                    await caller.ask(question("tide"), anchored("tide"), purpose="retell", about=())

        asyncio.run(work())
    spent = spent_by(workspace.database, "r", "writer")
    assert (spent.calls, spent.tokens, spent.cost) == (1, 0, 0.0)


def test_an_estimate_is_asks_times_tokens_at_the_price() -> None:
    role = RoleSettings(
        engine="endpoint", model="m", base_url="http://127.0.0.1/v1", price=PriceSettings(prompt=0.15, answer=0.6)
    )
    estimate = Budget("writer", role).estimate(2000, 500, 80)
    assert (estimate.calls, estimate.prompt_tokens, estimate.answer_tokens) == (2000, 1_000_000, 160_000)
    assert estimate.cost == pytest.approx(0.15 + 0.096)


def test_a_cap_on_money_needs_a_price(workspace: Workspace) -> None:
    use_server(workspace, "http://127.0.0.1:1/v1", max_cost=5.0)
    with pytest.raises(SettingsError, match=r"models\.writer.*max_cost needs a price"):
        assert workspace.settings
