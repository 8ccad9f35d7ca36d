"""How a serving run ends while somebody is talking, and how it refuses those who come too many at once."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.runs import control
from core.store.sessions import session_messages
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.serving.conftest import end, log_of, request, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def asking(**values: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hm."}], "memories": False} | values).encode()


def test_an_answer_under_way_ends_in_time_and_further_questions_are_refused(tmp_path_factory: Any) -> None:
    workspace = Workspace.create(tmp_path_factory.mktemp("stopping") / "ws", "Ada Marlow")
    run, serving = start(workspace)
    address = urlsplit(serving.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=300)
    connection.request(
        "POST", "/v1/chat/completions", asking(stream=True, max_tokens=900, temperature=2, seed=3),
        {"Authorization": f"Bearer {serving.token}"},
    )  # fmt: skip
    response = connection.getresponse()
    session = json.loads(response.readline().removeprefix(b"data: "))["simulee"]["session_id"]
    control.cancel(workspace, run.id)
    deadline = time.monotonic() + 60
    while (health := request(serving, "GET", "/health")) == (200, {"status": "ok"}):
        assert time.monotonic() < deadline
    assert health == (503, {"status": "stopping"})
    status, refused = request(serving, "POST", "/v1/chat/completions", asking(max_tokens=1))
    assert (status, refused["error"]["code"]) == (503, "stopping"), "while an answer lingers"
    told = response.read().decode()
    assert told.rstrip().endswith("data: [DONE]")
    connection.close()
    for _ in control.follow(workspace, run.id):
        pass
    assert session_messages(workspace.database, session)[-1].role == "assistant", "as far as it went, it is stored"
    assert "Traceback" not in log_of(run)


def test_a_full_queue_and_a_fast_client_are_asked_to_come_again(tmp_path_factory: Any) -> None:
    workspace = Workspace.create(tmp_path_factory.mktemp("caps") / "ws", "Ada Marlow")
    settings = 'name = "Ada Marlow"\n[twin]\nqueue = 1\nrequests_per_minute = 30\nmax_tokens = 40\n'
    (workspace.root / SETTINGS_FILE).write_text(settings)
    workspace.forget_settings()
    run, serving = start(workspace)
    answers: list[tuple[int, dict[str, Any]]] = []

    def ask() -> None:
        answers.append(request(serving, "POST", "/v1/chat/completions", asking(max_tokens=999, temperature=2)))

    clients = [threading.Thread(target=ask) for _ in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    statuses = [status for status, _ in answers]
    assert statuses.count(429) >= 1
    done = [values for status, values in answers if status == 200]
    assert len(done) >= 2
    assert all(values["usage"]["completion_tokens"] <= 42 for values in done)
    seen = [request(serving, "GET", "/v1/models")[0] for _ in range(40)]
    assert 429 in seen
    assert request(serving, "GET", "/health")[0] == 200, "readiness costs nothing"
    end(workspace, run)
