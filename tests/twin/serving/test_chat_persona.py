"""The served twin whose persona is a chat model behind a server of its own: functions are called on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from core.workspace import Workspace
from tests.twin.chat_server import ChatServer, Event, called, said
from tests.twin.serving.conftest import Started, end, log_of, request, start
from tests.twin.test_function_calling import behind

ANSWER = ["Let me think.", "It", " was", " so."]


def script(body: dict[str, Any]) -> list[Event]:
    if body["messages"][-1]["role"] == "tool":
        return said(*ANSWER[1:])
    return called(("recall", '{"words": "rope"}'), ("today", "{}"), before=ANSWER[:1])


@pytest.fixture(scope="module")
def behind_a_chat_model(twin: Workspace) -> Iterator[tuple[ChatServer, Started]]:
    with ChatServer(script) as server:
        started = start(behind(twin, server.url))
        yield server, started
        end(twin, started[0])


def test_a_client_gets_one_answer_that_streams_around_the_calls(
    behind_a_chat_model: tuple[ChatServer, Started], twin: Workspace
) -> None:
    server, (run, serving) = behind_a_chat_model
    with openai.OpenAI(base_url=serving.url, api_key=serving.token, max_retries=0, timeout=120) as client:
        stream = client.chat.completions.create(
            model="twin", messages=[{"role": "user", "content": "What of the rope?"}], stream=True, n=2, seed=5
        )
        choices: dict[int, list[str]] = {0: [], 1: []}
        last: dict[str, Any] = {}
        for chunk in stream:
            for choice in chunk.choices:
                choices[choice.index].append(choice.delta.content or "")
            last = getattr(chunk, "simulee", None) or last
    assert {place: "".join(pieces) for place, pieces in choices.items()} == dict.fromkeys((0, 1), "".join(
        [ANSWER[0], " ", *ANSWER[1:]]
    ))  # fmt: skip
    assert all(len([piece for piece in pieces if piece]) > 1 for pieces in choices.values())
    assert [body["seed"] for body in server.bodies] == [5, 5, 6, 6]
    assert any("seed promises no same words" in note for note in last["notes"])
    assert last["memories"]
    stored = [json.loads(row[0]) for row in twin.database.rows("SELECT settings FROM message WHERE role = 'assistant'")]
    assert [[each["command"] for each in one["commands"]] for one in stored] == [["[recall: rope]", "[today]"]] * 2
    assert "Traceback" not in log_of(run)


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/completions", {"model": "twin", "prompt": "Once upon a"}, "/v1/completions needs a persona"),
        (
            "/v1/chat/completions",
            {"model": "twin", "messages": [{"role": "user", "content": "And?"}], "hybrid": True},
            "hybrid mode needs a persona",
        ),
    ],
)
def test_what_a_chat_model_cannot_do_is_refused_in_a_line(
    behind_a_chat_model: tuple[ChatServer, Started], path: str, body: dict[str, Any], told: str
) -> None:
    server, (_, serving) = behind_a_chat_model
    before = len(server.bodies)
    headers = {"Content-Type": "application/json"}
    status, answer = request(serving, "POST", path, json.dumps(body).encode(), **headers)
    assert status == 400
    assert told in answer["error"]["message"]
    assert 'api = "chat" only answers messages' in answer["error"]["message"]
    assert len(server.bodies) == before
