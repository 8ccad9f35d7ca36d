"""Many clients at once, some of them broken: every one gets its own answer, and the server is none the worse."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.models.chat_tokenizer import load_tokenizer
from core.models.packaged import SMOLLM2
from core.runs.journal import Run, holder, load_run
from core.store.sessions import list_sessions, session_messages
from core.twin.client import Serving
from core.workspace import Workspace
from tests.twin.serving.conftest import Started, log_of, request

CLIENTS = 16
ROUNDS = int(os.environ.get("SIMULEE_CROWD_ROUNDS", "60"))
"""Of the long visit."""
GROWTH_MIB = 48
"""The allocator's own room for many threads; a leak of one request's body or prompt in each would pass it."""
WITHIN = 600.0
GARBAGE = (
    b"", b"{", b"\xff\xfe\x00", b"[" * 50_000, b'{"prompt": 3}', b'{"prompt": "a", "max_tokens": -1}', b"null",
    b'{"prompt": "\\ud800"}', b'{"prompt": "a", "logit_bias": {"x": 1}}', b'{"prompt": "a", "stop": [[]]}',
    b" " * 2_000_000,
)  # fmt: skip
KILLED = """
import socket, sys
host, port, head = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
with socket.create_connection((host, port)) as connection:
    connection.sendall(head)
    seen = b""
    while b"data:" not in seen:
        seen += connection.recv(65536)
    print("streaming", flush=True)
    sys.stdin.read()
"""


def pid_of(run: Run) -> int:
    pid = holder(run.folder / "lock")
    assert pid is not None
    return pid


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def raw_request(serving: Serving, path: str, body: bytes) -> bytes:
    address = urlsplit(serving.url)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {address.hostname}:{address.port}\r\nAuthorization: Bearer {serving.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


WORDS = (
    "cat", "dog", "tree", "river", "stone", "bread", "house", "horse", "ship", "moon", "glass", "paper", "winter",
    "garden", "music", "table",
)  # fmt: skip
"""One for each client: what it biases its own answers to, each a token of the packaged model."""


class Visitor:
    """One client: what it asks is its own, and so must be all that it gets."""

    def __init__(self, serving: Serving, number: int, token: int) -> None:
        self.serving = serving
        self.word = WORDS[number]
        self.manner = {"stream": True, "temperature": 0, "logit_bias": {str(token): 100}}
        self.session: int | None = None
        self.said: list[str] = []

    def continued(self) -> None:
        """A stream whose words can only be this client's."""
        events = self.stream("/v1/completions", {"prompt": f"A {self.word}.", "max_tokens": 6, **self.manner})
        assert len({each["id"] for each in events}) == 1
        assert "".join(each["choices"][0]["text"] for each in events).split() == [self.word] * 6

    def talks(self) -> None:
        """One more question of this client's session."""
        question = f"My word is {self.word}, for the {len(self.said) + 1}th time."
        events = self.stream(
            "/v1/chat/completions",
            {
                "messages": [{"role": "user", "content": question, "name": self.word}], "max_tokens": 4,
                "memories": False, "session": self.session, **self.manner,
            },
        )  # fmt: skip
        told = events[-1]["simulee"]
        assert self.session in (None, told["session_id"])
        self.session = told["session_id"]
        answer = "".join(each["choices"][0]["delta"].get("content", "") for each in events)
        assert answer.split() == [self.word] * 4
        self.said += [question, answer.strip()]

    def stream(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        address = urlsplit(self.serving.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=WITHIN)
        try:
            connection.request(
                "POST", path, json.dumps(body).encode(), {"Authorization": f"Bearer {self.serving.token}"}
            )
            response = connection.getresponse()
            content = response.read().decode()
        finally:
            connection.close()
        assert response.status == 200, content
        data = [line.removeprefix("data: ") for line in content.splitlines() if line.startswith("data: ")]
        assert data[-1] == "[DONE]", content
        events: list[dict[str, Any]] = [json.loads(each) for each in data[:-1]]
        assert not any("error" in each for each in events), events
        return events

    def goes_away(self, reset: bool) -> None:
        """Leave in the middle of a stream, politely or with a reset."""
        body = json.dumps({"prompt": "one two three " * 8, "max_tokens": 64, "stream": True}).encode()
        address = urlsplit(self.serving.url)
        with socket.create_connection((address.hostname, address.port), WITHIN) as connection:
            connection.sendall(raw_request(self.serving, "/v1/completions", body))
            seen = b""
            while b"data:" not in seen:
                part = connection.recv(4096)
                assert part, seen
                seen += part
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def sends_garbage(self, number: int) -> None:
        body = GARBAGE[number % len(GARBAGE)]
        path = "/v1/completions" if number % 3 else "/v1/chat/completions"
        try:
            status, values = request(self.serving, "POST", path, body)
        except (ConnectionError, BrokenPipeError):
            assert len(body) > 1_000_000, "only what is far too large may be cut off while it is sent"
            return
        assert status in (400, 413), (status, values)
        assert values["error"]["message"]


def crowd_of(serving: Serving, rounds: int) -> list[Visitor]:
    """16 clients, each with so many requests, at once: of ten, five continued, two of a talk, three gone wrong."""
    tokenizer = load_tokenizer(SMOLLM2)
    visitors = [Visitor(serving, number, *tokenizer.encode(f" {word}")) for number, word in enumerate(WORDS)]

    def visit(number: int) -> None:
        visitor = visitors[number]
        for turn in range(rounds):
            match (turn + number) % 10:
                case 0 | 5:
                    visitor.talks()
                case 3:
                    visitor.goes_away(reset=bool(turn & 1) or number % 2 == 0)
                case 4 | 8:
                    visitor.sends_garbage(turn + number)
                case _:
                    visitor.continued()

    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(visit, number) for number in range(CLIENTS)]:
            done.result()
    return visitors


def killed_clients(serving: Serving, number: int) -> None:
    """Processes that are killed while they read a stream."""
    address = urlsplit(serving.url)
    body = json.dumps({"prompt": "one two three " * 8, "max_tokens": 64, "stream": True}).encode()
    head = raw_request(serving, "/v1/completions", body).hex()
    for _ in range(number):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(address.hostname), str(address.port), head],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == b"streaming\n"
            process.kill()


def see_that_nothing_was_crossed(workspace: Workspace, visitors: list[Visitor]) -> None:
    for visitor in visitors:
        assert visitor.session is not None
        stored = session_messages(workspace.database, visitor.session)
        assert [each.text for each in stored] == visitor.said
        assert {each.speaker for each in stored if each.role == "user"} == {visitor.word}
    words = {row.first for row in list_sessions(workspace.database)}
    assert len({visitor.session for visitor in visitors}) == len(visitors) <= len(words)


def sees_through(started: Started, workspace: Workspace, rounds: int, kills: int) -> None:
    run, serving = started
    crowd_of(serving, 2)  # Threads, connections and buffers are there after this.
    before = resident_mib(pid_of(run))
    killer = threading.Thread(target=killed_clients, args=(serving, kills))
    killer.start()
    visitors = crowd_of(serving, rounds)
    killer.join()
    see_that_nothing_was_crossed(workspace, visitors)
    grown = resident_mib(pid_of(run)) - before
    assert grown < GROWTH_MIB, f"{grown:.0f} MiB more after {CLIENTS * rounds} requests"
    assert load_run(workspace.runs, run.id).state == "running"
    assert "Traceback" not in log_of(run)
    assert "Error" not in log_of(run)


@pytest.mark.timeout(1800)
def test_sixteen_clients_some_of_them_broken_get_what_is_theirs(crowd: Started, bare: Workspace) -> None:
    sees_through(crowd, bare, 10, 2)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_sixteen_clients_for_long(crowd: Started, bare: Workspace) -> None:
    sees_through(crowd, bare, ROUNDS, 10)


@pytest.mark.slow
def test_nothing_listens_beyond_this_machine(crowd: Started) -> None:
    """Of the serving process and all its children: Linux tells who holds which socket."""
    family = [pid_of(crowd[0])]
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(process.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == family[0]:
            family.append(int(process.parent.name))
    held = set()
    for pid in family:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                held.add(str(descriptor.readlink()))
            except OSError:
                continue
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in held:
                listening.append(fields[1].partition(":")[0])
    assert len(listening) >= 2, "the server, and its engine"
    assert set(listening) == {"0100007F"}


@pytest.mark.slow
def test_a_page_of_another_origin_is_granted_nothing(crowd: Started) -> None:
    address = urlsplit(crowd[1].url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    for method, headers in (
        ("OPTIONS", {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}),
        ("GET", {"Origin": "https://evil.example", "Authorization": f"Bearer {crowd[1].token}"}),
    ):
        connection.request(method, "/v1/models", headers=headers)
        response = connection.getresponse()
        response.read()
        assert not [name for name, _ in response.getheaders() if name.lower().startswith("access-control-")]
    connection.close()


@pytest.mark.slow
def test_it_says_whether_it_takes_questions_without_a_token(crowd: Started) -> None:
    root = crowd[1]
    assert request(root, "GET", "/health", Authorization="") == (200, {"status": "ok"})
    assert request(root, "GET", "/health", Host="evil.example")[0] == 403
