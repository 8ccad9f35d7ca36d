"""The wire under a persona that is asked by messages: what a server may send, and what becomes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import ModelError
from core.models.endpoint_chat import LONGEST_ARGUMENTS, MOST_CALLS, ChatEndpoint
from core.models.generation import FunctionCall, Reply
from core.prompts.functions import FUNCTIONS
from core.store.model_calls import recent_calls
from core.twin.chat import Answer, ChatOptions, Twin
from core.workspace import Workspace
from tests.twin.chat_server import ChatServer, Event, ended, fragments, said
from tests.twin.test_function_calling import behind


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def replied(server: ChatServer, events: list[Event], offered: bool = True) -> tuple[str, Reply]:
    """What comes of one request."""
    server.script = lambda _: events
    endpoint = ChatEndpoint(server.url, "", 1)
    stream = endpoint.stream(
        "m", [{"role": "user", "content": "Who is there?"}], tools=FUNCTIONS if offered else (), max_tokens=8,
        temperature=0, seed=1, within=10,
    )  # fmt: skip
    words = ""
    try:
        while True:
            words += next(stream)
    except StopIteration as end:
        reply: Reply = end.value
        return words, reply
    finally:
        stream.close()
        endpoint.close()


def piece(place: Any = None, uid: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    """A fragment without the fields that are None."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    whole = {"index": place, "id": uid, "function": function}
    return {key: value for key, value in whole.items() if value is not None and value != {}}


@pytest.mark.parametrize(
    ("fragments_", "calls"),
    [
        ([piece(0, "a", "recall", '{"wo'), piece(0, None, None, 'rds": "x"}')], [("recall", '{"words": "x"}')]),
        ([piece(0, "a", "today", "{}"), piece(1, "b", "today", "{}")], [("today", "{}")] * 2),
        ([piece(0, "a", "recall", "{"), piece(1, "b", "today", "{}"), piece(0, "a", None, "}")],
         [("recall", "{}"), ("today", "{}")]),
        ([piece(0, "a", "recall", "{}"), piece(0, "b", "today", "{}")], [("recall", "{}"), ("today", "{}")]),
        ([piece(None, None, "recall", "{}"), piece(None, None, "today", "{}")], [("recall", "{}"), ("today", "{}")]),
        ([piece(None, "a", "recall", "{"), piece(None, None, None, "}")], [("recall", "{}")]),
        ([piece(0, "a", "recall", "{"), piece(0, "a", "recall", "}")], [("recall", "{}")]),
        ([piece(0, "a", "re"), piece(0, None, "call", "{}")], [("recall", "{}")]),
        ([piece(-7, "a", "today"), piece(10**30, "b", "today")], [("today", "")] * 2),
        ([piece("x", 5, ["recall"], {"words": 1})], [("", "")]),
        ([{"function": "recall"}], [("", "")]),
        ([piece(0, "a", "today", "\ud800\0")], [("today", "?")]),
    ],
)  # fmt: skip
def test_calls_are_put_together_from_whatever_fragments_come(
    server: ChatServer, fragments_: list[dict[str, Any]], calls: list[tuple[str, str]]
) -> None:
    events = [*(fragments(each) for each in fragments_), *ended("tool_calls")]
    assert replied(server, events) == ("", Reply("stop", tuple(FunctionCall(*each) for each in calls)))


def test_only_so_many_calls_and_so_long_ones_are_kept(server: ChatServer) -> None:
    many = [piece(place, f"call{place}", "n" * 500, "x" * 20_000) for place in range(60)]
    _, reply = replied(server, [fragments(*many), fragments(*many), *ended("tool_calls")])
    assert len(reply.calls) == MOST_CALLS
    assert all(len(call.arguments) <= LONGEST_ARGUMENTS + 1 and len(call.name) <= 64 for call in reply.calls)


def test_what_was_not_offered_is_not_called(server: ChatServer) -> None:
    events = [fragments(piece(0, "a", "recall", "{}")), *said("Good evening.")]
    assert replied(server, events, offered=False) == ("Good evening.", Reply("stop"))


BROKEN: dict[str, tuple[list[Event], str]] = {
    "no reason": (said("Good", finish=None), "without a reason"),
    "no word": (ended("stop"), "without a word"),
    "declined": ([*said("Good", finish=None), *ended("content_filter")], "declined"),
    "refusal": ([{"delta": {"refusal": "I cannot say that."}}], "declined"),
    "an error": ([b'{"error": {"message": "out of\\nmemory \\u001b[31m"}}'], "broke off: out of memory"),
    "a number": ([{"delta": {"content": 7}}], "something else than completions"),
    "a list": ([{"delta": []}, {"delta": ["x"]}], "something else than completions"),
    "calls that are none": ([{"delta": {"tool_calls": {"index": 0}}}], "something else than completions"),
    "a call that is none": ([{"delta": {"tool_calls": ["recall"]}}], "something else than completions"),
    "a reason that is none": ([{"delta": {}, "finish_reason": {"stop": 1}}], "something else than completions"),
    "no choices": ([b"{}"], "something else than completions"),
    "no object": ([b"[1, 2]"], "something else than completions"),
    "no JSON": ([b"<html>"], "something else than completions"),
    "a deep one": ([b"[" * 100_000], "something else than completions"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_no_answer_is_told_in_a_line(server: ChatServer, broken: str) -> None:
    events, told = BROKEN[broken]
    with pytest.raises(ModelError) as failed:
        replied(server, events)
    assert told in failed.value.message
    assert "\n" not in failed.value.message


def test_a_redirect_is_not_followed(server: ChatServer) -> None:
    with ChatServer() as other:
        location = f"{other.url}/chat/completions"
        endpoint = ChatEndpoint(server.url, "", 1)
        server.script = lambda _: (307, {"location": location})
        with pytest.raises(ModelError, match="refused with 307"):
            list(endpoint.stream("m", [], max_tokens=8, temperature=0, seed=1, within=10))
        endpoint.close()
        assert other.bodies == []


def test_a_server_that_keeps_silent_is_left_after_its_time(server: ChatServer) -> None:
    silent = threading.Event()

    def script(_: dict[str, Any]) -> list[Event]:
        silent.wait(20)
        return said("Good evening.")

    server.script = script
    endpoint = ChatEndpoint(server.url, "", 1)
    try:
        with pytest.raises(ModelError, match=r"no whole answer from .* within 0\.3 s"):
            list(endpoint.stream("m", [], max_tokens=8, temperature=0, seed=1, within=0.3))
    finally:
        silent.set()
        endpoint.close()


def test_a_parameter_that_the_server_refuses_is_left_out_from_then_on(workspace: Workspace, server: ChatServer) -> None:
    def script(body: dict[str, Any]) -> list[Event] | tuple[int, dict[str, Any]]:
        for name in ("max_tokens", "temperature", "seed", "stop", "logit_bias"):
            if name in body:
                return 400, {"error": {"message": f"Unsupported parameter: '{name}'", "param": name}}
        return said("Good evening.")

    server.script = script
    twin = Twin(behind(workspace, server.url, "off"), ChatOptions(memories=False))
    try:
        answers = [list(twin.answer("Who is there?"))[-1] for _ in range(2)]
    finally:
        twin.close()
    assert all(isinstance(each, Answer) and each.text == "Good evening." for each in answers)
    assert server.bodies[-1]["max_completion_tokens"] == server.bodies[0]["max_tokens"]
    assert len(server.bodies) == 5, "three are refused once each"
    assert len(recent_calls(workspace.database, 9)) == 5, "every request is in the ledger"


@pytest.mark.parametrize(("status", "told"), [(404, "has no model 'some-chat-model'"), (401, "refused with 401")])
def test_a_refusal_is_told_and_stands_in_the_ledger(
    workspace: Workspace, server: ChatServer, status: int, told: str
) -> None:
    server.script = lambda _: (status, {"error": {"message": "as asked"}})
    twin = Twin(behind(workspace, server.url), ChatOptions())
    try:
        with pytest.raises(ModelError) as failed:
            list(twin.answer("Who is there?"))
    finally:
        twin.close()
    assert told in failed.value.message
    (row,) = recent_calls(workspace.database, 5)
    assert row.outcome == "failed"


def test_an_answer_that_is_left_ends_at_the_server_and_is_kept_as_far_as_it_went(
    workspace: Workspace, server: ChatServer
) -> None:
    server.script = lambda _: said(*["and on it went "] * 20_000)
    twin = Twin(behind(workspace, server.url), ChatOptions(memories=False))
    answer = iter(twin.answer("Who is there?"))
    assert next(answer) == "and on it went "
    answer.close()  # type: ignore[attr-defined]
    twin.close()
    (row,) = recent_calls(workspace.database, 5)
    assert (row.outcome, row.answer_tokens) == ("stopped", 1)
    text, settings = workspace.database.one("SELECT text, settings FROM message WHERE role = 'assistant'")
    assert text == "and on it went"
    assert json.loads(settings)["finish"] == "stopped"
