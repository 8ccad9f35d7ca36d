"""Whatever a server does, no bad answer is kept, every ask ends, and a rerun finishes what was left."""

from __future__ import annotations

import json

import pytest

from core.models.generation import CallFailed
from core.store.model_calls import outcomes
from core.workspace import Workspace
from tests.asking import ask_all, use_server
from tests.fault_server import FaultServer, Mode

ITEMS = 200
PROMPTS = [f"passage number {number} of many" for number in range(ITEMS)]

REASONS: dict[Mode, set[str]] = {
    "429 with wait": {"rate limit"},
    "429 with date": {"rate limit"},
    "429": {"rate limit"},
    "429 long wait": {"rate limit", "asked to wait"},
    "quota": {"quota"},
    "500": {"server error"},
    "503": {"overloaded"},
    "hang": {"timeout"},
    "drip": {"timeout"},
    "truncated": {"cut off"},
    "no finish": {"no finish"},
    "html": {"not an answer"},
    "empty object": {"not an answer"},
    "wrong types": {"not an answer"},
    "nothing": {"not an answer"},
    "compressed": {"not an answer"},
    "surrogate": {"not an answer", "not text"},
    "length": {"length"},
    "content filter": {"content filter"},
    "empty content": {"empty"},
    "bad json": {"not json"},
    "wrong language": {"not anchored"},
    "echo": {"not json"},
    "injection": {"not anchored"},
    "redirect": {"redirect"},
    "closed": {"cut off"},
    "not authorized": {"not authorized"},
}
"""Why an ask may fail in each mode, beside the circuit breaker's own reason."""
DEADLINE: dict[Mode, float] = {"hang": 0.5, "drip": 0.5}


def cache_size(workspace: Workspace) -> int:
    return int(workspace.database.value("SELECT count(*) FROM call_cache"))


@pytest.mark.parametrize("mode", REASONS)
def test_nothing_bad_is_kept_and_a_rerun_finishes(mode: Mode, workspace: Workspace) -> None:
    with FaultServer(mode=mode) as server:
        use_server(workspace, server, timeout=DEADLINE.get(mode, 60.0))
        failed = ask_all(workspace, PROMPTS)
        assert all(isinstance(each, CallFailed) for each in failed)
        assert {each.reason for each in failed if isinstance(each, CallFailed)} <= REASONS[mode] | {"server failing"}
        assert REASONS[mode] & {each.reason for each in failed if isinstance(each, CallFailed)}
        assert cache_size(workspace) == 0
        told = outcomes(workspace.database, "", "writer")
        assert set(told) <= REASONS[mode]
        assert sum(told.values()) == len(server.received)
        server.mode = "ok"
        use_server(workspace, server)
        assert ask_all(workspace, PROMPTS) == [f"I remember: {prompt}" for prompt in PROMPTS]
        asked = len(server.received)
        assert ask_all(workspace, PROMPTS) == [f"I remember: {prompt}" for prompt in PROMPTS]
        assert len(server.received) == asked


@pytest.mark.parametrize("mode", REASONS)
def test_a_fault_now_and_then_is_overcome_where_asking_again_can_help(mode: Mode, workspace: Workspace) -> None:
    """Every tenth passage meets the fault the first time that it is asked."""
    final = {"quota", "content filter", "redirect", "not authorized", "429 long wait"}

    def mode_of(prompt: str, time: int) -> Mode:
        return mode if PROMPTS.index(prompt) % 10 == 9 and time == 1 else "ok"

    with FaultServer(mode_of=mode_of) as server:
        use_server(workspace, server, timeout=DEADLINE.get(mode, 60.0))
        answers = ask_all(workspace, PROMPTS)
        good = [f"I remember: {prompt}" for prompt in PROMPTS]
        wrong = [(answer, right) for answer, right in zip(answers, good, strict=True) if answer != right]
        if mode not in final:
            assert wrong == []
        assert all(isinstance(answer, CallFailed) for answer, _ in wrong)
        done = {prompt for prompt, answer in zip(PROMPTS, answers, strict=True) if isinstance(answer, str)}
        assert cache_size(workspace) == len(done)
        before = server.prompts.copy()
        reruns = 0
        while ask_all(workspace, PROMPTS) != good:
            # Where a server refuses to be asked again, others are left to be asked for the first time.
            reruns += 1
            assert mode in final
            assert reruns <= ITEMS // 10
        assert not {prompt for prompt in done if server.prompts[prompt] != before[prompt]}


def test_an_answer_larger_than_any_is_not_read_to_its_end(workspace: Workspace) -> None:
    with FaultServer(mode="huge") as server:
        use_server(workspace, server)
        (failed,) = ask_all(workspace, PROMPTS[:1])
    assert isinstance(failed, CallFailed)
    assert failed.reason == "too large"


def test_a_redirect_is_never_followed(workspace: Workspace) -> None:
    with FaultServer() as other, FaultServer(mode="redirect") as server:
        server.redirect_to = f"{other.url}/chat/completions"
        use_server(workspace, server)
        ask_all(workspace, PROMPTS[:20])
        assert server.received
        assert other.received == []


def test_a_server_without_schemas_is_asked_without_from_then_on(workspace: Workspace) -> None:
    with FaultServer(mode="schema refused") as server:
        use_server(workspace, server, concurrency=1)
        assert ask_all(workspace, PROMPTS[:30]) == [f"I remember: {prompt}" for prompt in PROMPTS[:30]]
        assert ["response_format" in each.body for each in server.received] == [True] + [False] * 30


def test_a_failing_server_is_let_alone_after_a_few_failures(workspace: Workspace) -> None:
    with FaultServer(mode="500") as server:
        use_server(workspace, server, concurrency=4)
        failed = ask_all(workspace, PROMPTS)
        reasons = [each.reason for each in failed if isinstance(each, CallFailed)]
        assert reasons.count("server failing") > ITEMS // 2
        assert len(server.received) < ITEMS // 2
        assert all(each.retryable for each in failed if isinstance(each, CallFailed))


def test_a_model_that_never_gives_a_valid_answer_is_given_up(workspace: Workspace) -> None:
    with FaultServer(mode="bad json") as server:
        use_server(workspace, server, concurrency=4)
        failed = ask_all(workspace, PROMPTS)
        assert [each.reason for each in failed if isinstance(each, CallFailed)].count("server failing") > ITEMS // 2
        assert len(server.received) < ITEMS


def test_a_few_hopeless_items_do_not_stop_the_others(workspace: Workspace) -> None:
    hopeless = set(PROMPTS[:20])
    with FaultServer(mode_of=lambda prompt, _time: "bad json" if prompt in hopeless else "ok") as server:
        use_server(workspace, server)
        answers = ask_all(workspace, PROMPTS)
        assert [isinstance(each, CallFailed) for each in answers] == [prompt in hopeless for prompt in PROMPTS]
        assert {each.reason for each in answers if isinstance(each, CallFailed)} == {"not json"}


def test_asked_again_after_a_bad_answer_the_model_is_not_asked_the_very_same(workspace: Workspace) -> None:
    with FaultServer(mode_of=lambda _prompt, time: "bad json" if time == 1 else "ok") as server:
        use_server(workspace, server)
        ask_all(workspace, PROMPTS[:1])
        first, second = (each.body for each in server.received)
    assert first["temperature"] == 0
    assert second["temperature"] > 0
    assert first["seed"] != second["seed"]
    assert json.dumps(first["messages"]) == json.dumps(second["messages"])
