"""What a persona behind an endpoint may use up, and what of its calls is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from core.errors import BudgetError, ModelError
from core.store.model_calls import CallRow, recent_calls
from core.twin.chat import ChatOptions, Conversation, Twin
from core.twin.parts import BASE_ONLY, Parts
from core.twin.speech import Manner
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.chat_server import ChatServer, said
from tests.twin.scripted import put_adapters

PRICED = "[models.persona.price]\nprompt = 1000\nanswer = 1000\n"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def behind(workspace: Workspace, url: str, more: str = "") -> Workspace:
    (workspace.root / SETTINGS_FILE).write_text(
        'name = "Ada Marlow"\n[models.persona]\nengine = "endpoint"\napi = "chat"\nmodel = "m"\n'
        f'base = "SmolLM2-135M-Instruct"\nbase_url = "{url}"\n{more}'
    )
    workspace.forget_settings()
    return workspace


def ask(parts: Parts, adapter: str | None = None) -> None:
    list(Conversation(parts, ChatOptions(adapter, memories=False, manner=Manner(8))).ask("Who is there?"))


def rows_after_asking(workspace: Workspace) -> list[CallRow]:
    """Earliest first."""
    twin = Twin(workspace, ChatOptions(memories=False, manner=Manner(8)))
    try:
        list(twin.answer("Who is there?"))
    except ModelError:
        pass
    finally:
        twin.close()
    return recent_calls(workspace.database, 9)[::-1]


@pytest.mark.parametrize(("cap", "answers"), [("max_calls = 1", 1), ("max_tokens = 20", 0), ("max_cost = 0.001", 0)])
def test_a_cap_on_the_persona_is_kept_for_all_its_voices(
    workspace: Workspace, server: ChatServer, cap: str, answers: int
) -> None:
    put_adapters(workspace, "ada")
    parts = Parts(behind(workspace, server.url, f"{cap}\n{PRICED}"))
    try:
        for _ in range(answers):
            ask(parts, "ada")
        with pytest.raises(BudgetError, match=rf"the persona has reached its cap: \[models.persona\] {cap}") as told:
            ask(parts, BASE_ONLY)
        assert "raise the cap in persona.toml and ask again" in told.value.hint
    finally:
        parts.close()
    assert len(server.bodies) == answers
    assert len(recent_calls(workspace.database, 9)) == answers


def test_a_cap_counts_what_the_run_has_asked_before(workspace: Workspace, server: ChatServer) -> None:
    behind(workspace, server.url, "max_calls = 1\n")
    for run, may in (("serve-1", True), ("serve-1", False), ("serve-2", True)):
        parts = Parts(workspace, run=run)
        try:
            if may:
                ask(parts)
            else:
                with pytest.raises(BudgetError):
                    ask(parts)
        finally:
            parts.close()
    assert [row.run for row in recent_calls(workspace.database, 9)] == ["serve-2", "serve-1"]


def test_a_server_that_cannot_be_reached_costs_nothing(workspace: Workspace) -> None:
    (row,) = rows_after_asking(behind(workspace, "http://127.0.0.1:9/v1", PRICED))
    assert (row.outcome, row.prompt_tokens, row.answer_tokens, row.cost) == ("failed", 0, 0, 0)


def test_what_is_refused_costs_nothing_and_what_is_asked_instead_does(workspace: Workspace, server: ChatServer) -> None:
    server.script = lambda body: (
        (400, {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}})
        if "seed" in body
        else said("Good", " evening.")
    )
    refused, answered = rows_after_asking(behind(workspace, server.url, PRICED))
    assert (refused.outcome, refused.prompt_tokens, refused.cost) == ("failed", 0, 0)
    assert (answered.outcome, answered.answer_tokens) == ("answered", 2)
    assert answered.cost == pytest.approx((answered.prompt_tokens + 2) / 1000)


def test_an_answer_that_breaks_off_has_cost_what_came_of_it(workspace: Workspace, server: ChatServer) -> None:
    error = json.dumps({"error": {"message": "out of memory"}}).encode()
    server.script = lambda _: [*said("Good", " evening", finish=None), error]
    (row,) = rows_after_asking(behind(workspace, server.url, PRICED))
    assert (row.outcome, row.answer_tokens) == ("failed", 2)
    assert row.prompt_tokens > 0
