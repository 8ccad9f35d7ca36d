"""A stand-in for the serving twin: a serving run in the workspace's folder, and OpenAI's protocol on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.runs.journal import EventLog, create_run, holding
from core.workspace import Workspace


class TwinServer:
    """Answers by a function of the request; ``asked`` holds every request."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], str] = lambda body: f"Answer {len(self.asked)}."
        self.memories: Callable[[dict[str, Any]], Sequence[str]] = lambda body: ()
        self.status = 200
        self.seconds = 0.0
        """How long an answer takes."""

    @property
    def questions(self) -> list[str]:
        return [each["messages"][-1]["content"] for each in self.asked]


@contextlib.contextmanager
def twin_served(workspace: Workspace) -> Iterator[TwinServer]:
    """Serve a stand-in until the end of the block."""
    twin = TwinServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            twin.asked.append(body)
            session = body["session"] or len(twin.asked)
            if twin.status != 200:
                told = json.dumps({"error": {"message": "the twin \x1b[31mfell over"}}).encode()
                self.send_response(twin.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)
                return
            time.sleep(twin.seconds)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.chunk({"role": "assistant", "content": ""}, simulee={"session_id": session})
            self.chunk({"content": twin.answer(body)})
            memories = [
                {"chunk": each, "title": "", "date": "", "text": None}
                for each in (twin.memories(body) if body["memories"] else ())
            ]
            told = {"session_id": session, "message_id": len(twin.asked), "receipts": [], "memories": memories}
            self.chunk({}, "stop", simulee=told)
            self.wfile.write(b"data: [DONE]\n\n")

        def chunk(self, delta: dict[str, str], finish: str | None = None, **extra: object) -> None:
            value = {
                "id": "x", "object": "chat.completion.chunk", "created": 0, "model": "twin",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra,
            }  # fmt: skip
            with contextlib.suppress(OSError):
                self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
                self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    run = create_run(workspace.runs, "serve", "core.twin.serving.app:run", {})
    with holding(run.folder / "lock"):
        log = EventLog(run.folder)
        log.append("started", {"kind": "serve", "pid": 0})
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        (run.folder / "token").write_text("stub-token")
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        log.append("ready", {"url": url, "token_file": str(run.folder / "token"), "model": "twin"})
        try:
            yield twin
        finally:
            server.shutdown()
            server.server_close()
            serving.join()
            log.close()
