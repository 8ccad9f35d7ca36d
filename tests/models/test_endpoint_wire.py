"""An answer ends at its deadline and when it is stopped, whatever the server does with its connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat

import pytest

from core.errors import Interrupted, ModelError, SimuleeError
from core.models.endpoint_completion import CompletionEndpoint

EVENT = b'data: {"choices": [{"text": "tide "}]}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
SENDS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a head without end": (HEAD + b"X-Tide: ", b"a"),
    "words without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(EVENT), EVENT)),
    "words of no length": (HEAD + b"Connection: close\r\n\r\n", EVENT),
    "a refusal without end": (b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", b"no "),
}
"""What a server sends first, and then again and again."""


@contextmanager
def sending(first: bytes, then: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A server's address, and what is set once a request has come."""
    came, over = threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            came.set()
            try:
                connection.sendall(first)
                for piece in repeat(then):
                    if over.wait(0.02):
                        return
                    connection.sendall(piece)
            except OSError:
                return  # The client has gone, as it should.

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1", came
    finally:
        over.set()
        thread.join(10)
        listening.close()


def outcome(endpoint: CompletionEndpoint, within: float, meanwhile: Callable[[], None] = lambda: None) -> SimuleeError:
    """How an answer ends that is asked for on a thread of its own; fails where it does not."""
    ended: list[SimuleeError] = []

    def ask() -> None:
        try:
            for _ in endpoint.stream("m", "Who is there?", max_tokens=8, temperature=0, seed=1, within=within):
                pass
        except SimuleeError as error:
            ended.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    meanwhile()
    asking.join(20)
    assert not asking.is_alive(), "it is still waiting"
    (error,) = ended
    return error


@pytest.mark.parametrize("sends", SENDS)
def test_a_server_that_never_ends_its_answer_is_left_at_the_deadline(sends: str) -> None:
    with sending(*SENDS[sends]) as (url, _):
        endpoint = CompletionEndpoint(url, "", 1)
        error = outcome(endpoint, 0.5)
        endpoint.close()
    assert isinstance(error, ModelError)
    assert "no whole answer" in error.message or "refused with 500" in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("sends", [each for each in SENDS if "refusal" not in each])
def test_an_answer_that_is_stopped_ends_at_once_and_so_does_the_next(sends: str) -> None:
    with sending(*SENDS[sends]) as (url, came):
        endpoint = CompletionEndpoint(url, "", 1)

        def stop() -> None:
            assert came.wait(10)
            endpoint.stop()

        assert isinstance(outcome(endpoint, 600, stop), Interrupted)
        assert isinstance(outcome(endpoint, 600), Interrupted)
        endpoint.close()
