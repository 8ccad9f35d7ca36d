"""A stand-in for the serving twin: OpenAI's protocol on loopback, the store filled as the real one fills it.

``python twin_stub.py WORKSPACE``. What the question says decides what goes wrong: truncate, refuse, hang, drip, html.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from core.runs.journal import EventLog, create_run, holding
from core.store.adapters import active_adapter
from core.store.sessions import (
    add_memories,
    add_message,
    add_receipts,
    begin_session,
    session_messages,
)
from core.workspace import Workspace

AT = "2026-01-02T03:04:05+00:00"
TOKEN = "stub-token"
SUPPORTED = "Every map is an argument."
INVENTED = "I invented this."


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    root: Path
    answers = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.told(401, {"error": {"message": "no token"}})
        workspace = Workspace.open(self.root)
        database = workspace.database
        session = body["session"]
        asked = body["messages"][-1]["content"]
        if "refuse" in asked:
            return self.told(500, {"error": {"message": "the model \x1b[31mbroke"}})
        if "html" in asked:
            return self.raw(200, b"<html>hello</html>", "text/html")
        with database.write():
            if session is None:
                adapter = active_adapter(database)
                session = begin_session(database, adapter.id if adapter else None, body["as_of"], AT)
            if not body["again"]:
                add_message(database, session, "user", body["speaker"], asked, "", {}, AT)
        question = [each for each in session_messages(database, session) if each.role == "user"][-1].text
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.chunk({"role": "assistant", "content": ""}, simulee={"session_id": session})
        if "hang" in question:
            time.sleep(30)
        Handler.answers += 1
        text = f"{SUPPORTED} {INVENTED} That is answer {Handler.answers} of {body['memories']}."
        if "hostile" in question:
            text = "\x1b[2J[/nope] " + text
        shown = ""
        try:
            for piece in text.split(" "):
                self.chunk({"content": piece + " "})
                shown += piece + " "
                if "drip" in question:
                    time.sleep(0.15)
                if "truncate" in question:
                    return None
        except OSError:
            self.store(workspace, session, question, shown.strip(), "stopped")
            return None
        message = self.store(workspace, session, question, text, "stop")
        told = {"session_id": session, "message_id": message, "receipts": [], "memories": []}
        if body["hybrid"]:
            told |= {"hybrid": True, "fell_back": "the style is farther off"}
        if "forgetful" in question:
            told["missed"] = ["the server \x1b[31mrefused", "the server \x1b[31mrefused"]
        self.chunk({}, "stop", simulee=told)
        self.wfile.write(b"data: [DONE]\n\n")
        return None

    def store(self, workspace: Workspace, session: int, question: str, text: str, finish: str) -> int:
        database = workspace.database
        chunk = database.value("SELECT id FROM chunk ORDER BY id LIMIT 1")
        with database.write():
            message = add_message(
                database, session, "assistant", workspace.target, text, f"prompt of {question}", {"finish": finish}, AT
            )
            if chunk is not None:
                words = database.value("SELECT text FROM chunk WHERE id = ?", (chunk,))
                add_memories(database, message, [(chunk, words.split(".")[0] + ".")])
            add_receipts(
                database, message, [(SUPPORTED, chunk, 0.8, "supported"), (INVENTED, None, 0.1, "unsupported")]
            )
        database.close()
        return message

    def chunk(self, delta: dict[str, str], finish: str | None = None, **extra: object) -> None:
        value = {
            "id": "x", "object": "chat.completion.chunk", "created": 0, "model": "twin",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra,
        }  # fmt: skip
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
        self.wfile.flush()

    def told(self, status: int, values: dict[str, object]) -> None:
        self.raw(status, json.dumps(values).encode(), "application/json")

    def raw(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main(root: Path) -> None:
    Handler.root = root
    workspace = Workspace.open(root)
    run = create_run(workspace.runs, "serve", "core.twin.serving.app:run", {})
    with holding(run.folder / "lock"):
        log = EventLog(run.folder)
        log.append("started", {"kind": "serve", "pid": 0})
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (run.folder / "token").write_text(TOKEN)
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        log.append("ready", {"url": url, "token_file": str(run.folder / "token"), "model": "twin"})
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        signal.sigwait([signal.SIGTERM])


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main(Path(sys.argv[1]))
