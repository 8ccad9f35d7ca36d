"""The serving run on loopback, with the real embedded models: who may ask, what comes back, when it stops."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import aclosing
from typing import Any

import openai
import pytest

from core.errors import Interrupted
from core.runs import control
from core.runs.journal import holder
from core.runs.worker import WAITED_FOR
from core.store.sessions import list_sessions, session_messages
from core.twin.client import Question, TwinClient, running_server
from core.twin.launch import SERVE_KIND
from core.twin.protocol import Begun, Finished
from core.twin.transcript import load_transcript
from core.workspace import Workspace
from tests.twin.serving.conftest import Ask, Started, end, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

QUESTION = "Who pays for the paper charts?"


def test_a_serving_run_does_not_give_way(served: Started) -> None:
    assert SERVE_KIND in WAITED_FOR
    pid = holder(served[0].folder / "lock")
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert (served[0].folder / "token").stat().st_mode & 0o777 == 0o600


def test_who_has_no_token_or_calls_it_by_another_name_is_refused(ask: Ask) -> None:
    assert ask()[0] == 200
    for headers, status in (
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "localhost:1"}, 200),
    ):
        given, values = ask(**headers)
        assert given == status, headers
        assert status == 200 or values["error"]["message"]


def test_bad_requests_are_told_in_the_form_of_openai(ask: Ask) -> None:
    def completion(body: bytes) -> tuple[int, str]:
        status, values = ask("POST", "/v1/chat/completions", body)
        return status, str(values["error"]["code"])

    def asking(**values: Any) -> bytes:
        return json.dumps({"model": "twin", "messages": [{"role": "user", "content": "Hm?"}]} | values).encode()

    assert completion(b"{") == (400, "bad_request")
    assert completion(b"[" * 100_000) == (400, "bad_request")
    assert completion(b"{}") == (400, "bad_request")
    assert completion(asking(messages=[])) == (400, "bad_request")
    assert completion(asking(messages=[{"role": "user", "content": "  "}])) == (400, "bad_request")
    assert completion(asking(model="gpt-4")) == (404, "model_not_found")
    assert completion(asking(session=999)) == (400, "bad_request")
    assert completion(asking(as_of="tomorrow")) == (400, "bad_request")
    assert completion(asking(temperature=9)) == (400, "bad_request")
    assert completion(asking(messages=[{"role": "user", "content": "word " * 5000}])) == (400, "bad_request")
    assert completion(b" " * (1 << 20) + asking()) == (413, "too_large")
    assert ask("POST", "/v1/nothing")[0] == 404


def test_any_openai_client_talks_with_it_and_goes_on(served: Started, twin: Workspace) -> None:
    client = openai.OpenAI(base_url=served[1].url, api_key=served[1].token, max_retries=0)
    assert "twin" in [each.id for each in client.models.list()]
    messages: Any = [{"role": "user", "content": QUESTION}]
    whole = client.chat.completions.create(model="twin", messages=messages, seed=1, max_tokens=24)
    told = (whole.model_extra or {})["simulee"]
    text = whole.choices[0].message.content
    assert text
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 25
    messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "Why?"}]
    chunks = list(client.chat.completions.create(model="twin", messages=messages, seed=1, max_tokens=8, stream=True))
    last = (chunks[-1].model_extra or {})["simulee"]
    assert last["session_id"] == told["session_id"], "the same words go on with the same session"
    stored = session_messages(twin.database, told["session_id"])
    assert [each.role for each in stored] == ["user", "assistant", "user", "assistant"]
    assert stored[3].text == "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip()
    assert text in stored[3].prompt
    client.close()


def test_a_face_streams_with_receipts_asks_again_and_stops(served: Started, twin: Workspace) -> None:
    async def talk() -> tuple[list[Any], list[Any]]:
        client = TwinClient(twin.root)
        try:
            first = [event async for event in client.ask(Question(QUESTION, as_of="2020", seed=3))]
            session = first[-1].session_id
            again = [event async for event in client.ask(Question("", session=session, again=True, seed=4))]
            async with aclosing(client.ask(Question("Tell me everything.", session=session))) as events:
                async for event in events:
                    if isinstance(event, str):
                        break
            return first, again
        finally:
            await client.close()

    first, again = asyncio.run(talk())
    assert isinstance(first[0], Begun)
    done = first[-1]
    assert isinstance(done, Finished)
    assert done.receipts
    assert "".join(each for each in first if isinstance(each, str))
    deadline = time.monotonic() + 30
    while True:
        transcript = load_transcript(twin, done.session_id)
        stopped = transcript.asked[-1].answer
        if stopped is not None or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert stopped is not None
    assert stopped.stopped
    assert [len(each.answers) for each in transcript.asked] == [2, 1]
    assert transcript.session.as_of == "2020"
    assert transcript.asked[0].answers[1].message_id == again[-1].message_id


def test_a_hybrid_answer_comes_in_one_piece_with_its_mark(served: Started, twin: Workspace) -> None:
    async def talk() -> list[Any]:
        client = TwinClient(twin.root)
        try:
            async with aclosing(client.ask(Question(QUESTION, seed=3, hybrid=True))) as events:
                return [event async for event in events]
        finally:
            await client.close()

    events = asyncio.run(talk())
    finished = events[-1]
    assert isinstance(finished, Finished)
    words = [event for event in events if isinstance(event, str)]
    said = load_transcript(twin, finished.session_id).asked[0].answers[0]
    assert "".join(words).strip() == said.text
    assert said.settings["hybrid"]["simulation"]
    assert finished.fell_back == said.fell_back
    assert finished.hybrid == (said.settings["hybrid"]["outcome"] != "plain")
    if finished.hybrid:
        assert len(words) == 1


def test_a_stopped_server_is_started_again_and_goes_on(served: Started, twin: Workspace) -> None:
    before = list_sessions(twin.database)
    (session,) = [each for each in before if each.as_of == "2020"]

    async def talk() -> list[Any]:
        client = TwinClient(twin.root)
        try:
            _ = [event async for event in client.ask(Question("Hm?", memories=False, seed=1))]
            end(twin, served[0])
            assert not (served[0].folder / "token").exists()
            question = Question("And now?", session=session.id, seed=1)
            return [event async for event in client.ask(question)]
        finally:
            await client.close()

    events = asyncio.run(talk())
    assert events[-1].session_id == session.id
    assert load_transcript(twin, session.id).asked[0].question == QUESTION
    now = session_messages(twin.database, session.id)[-1]
    assert QUESTION in now.prompt, "what was said before the restart is still known"
    with pytest.raises(Interrupted):
        control.result_of(twin, served[0].id)
    run = running_server(twin)
    assert run is not None
    end(twin, run)


def test_an_idle_server_stops_by_itself(twin: Workspace) -> None:
    run, _ = start(twin, idle_minutes=0.01)
    for _ in control.follow(twin, run.id):
        pass
    assert control.result_of(twin, run.id)["ended"] == "idle"
