"""A writer and a judge on loopback for tests of questions: a real server, and an asker that asks it three times.

``python -m tests.question_asker WORKSPACE URL`` asks about every passage of a workspace, so that it can be killed.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from core.models.generation import Ask, CallFailed, Told
from core.models.load_embedder import load_embedder
from core.retrieval.question_index import embed_questions
from core.retrieval.questions import ask_about_passages
from core.workspace import Workspace

T = TypeVar("T")
ATTEMPTS = 3
Answer = Callable[[str], dict[str, Any]]
"""The user's message → ``text``, ``finish`` and perhaps ``chances``."""


def passage_in(message: str) -> str:
    """The passage that a prompt shows."""
    return message.split("<<<")[1].split(">>>")[0].strip()


def plain_questions(message: str) -> dict[str, Any]:
    """Three questions from the longest words of the passage; the judge says yes."""
    if "Answer yes or no" in message:
        return {"text": "yes", "finish": "stop"}
    words = sorted(set(re.findall(r"[a-z]{4,}", passage_in(message))), key=lambda word: (-len(word), word))
    questions = [f"What would you tell me of {word} then?" for word in words[:3]]
    return {"text": json.dumps({"questions": questions}), "finish": "stop"}


class Answering:
    """A server that answers as it is told, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.messages: list[str] = []
        self.url = ""

    @property
    def passages(self) -> list[str]:
        """Of which questions were asked for, in the order of asking."""
        return [passage_in(message) for message in self.messages if "as JSON" in message]


@contextmanager
def answering(answer: Answer = plain_questions) -> Iterator[Answering]:
    """A server on loopback for as long as the block lasts."""
    state = Answering(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["message"]
            state.messages.append(message)
            body = json.dumps(state.answer(message)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class LoopbackAsker:
    """An ``Asker`` for that server."""

    def __init__(self, url: str, identity: str = "loopback") -> None:
        self.identity = identity
        self._url = url

    async def ask(self, ask: Ask, accept: Callable[[Told], T], *, purpose: str, about: Sequence[str]) -> T:
        assert purpose in ("questions", "judge")
        assert about
        for attempt in range(ATTEMPTS):
            told = await asyncio.to_thread(self._send, ask)
            try:
                return accept(told)
            except CallFailed:
                if attempt + 1 == ATTEMPTS:
                    raise
        raise AssertionError

    def _send(self, ask: Ask) -> Told:
        body = json.dumps({"message": ask.messages[-1].content}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self._url, body), timeout=30) as response:
                return Told(**json.load(response))
        except (urllib.error.URLError, OSError) as error:
            raise CallFailed("unreachable", str(error), retryable=True) from None


def ask_all(workspace: Workspace, url: str, judged: bool = False, writer: str = "loopback") -> Any:
    """Ask about what is new, as the run does, and embed what is kept."""
    embedder = load_embedder()
    judge = LoopbackAsker(url, "judge") if judged else None
    asked = asyncio.run(ask_about_passages(workspace, embedder, LoopbackAsker(url, writer), judge))
    embed_questions(workspace, embedder)
    return asked


if __name__ == "__main__":
    ask_all(Workspace.open(Path(sys.argv[1])), sys.argv[2])
