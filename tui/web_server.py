"""The workbench for a browser: textual-serve on the loopback address, behind a key, for pages of this address only.

Other people on the machine and other pages in the browser reach a loopback port too. So every request must name this
machine as its host, a socket must come from a page of ours, and the key that was printed must have been given once.
"""

from __future__ import annotations

import hmac
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from core.errors import UsageError
from tui.face import Face

ADDRESS = "127.0.0.1"
OURS = ("127.0.0.1", "localhost")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ASKED = """<!doctype html><meta charset="utf-8"><title>simulee</title>
<body style="font-family: monospace; margin: 4em"><p>simulee needs the key that its terminal printed.</p>
<form><input name="key" size="40" autofocus> <button>open</button></form>
"""
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws://{host};"
    " frame-ancestors 'none'; form-action 'self'"
)
"""The page of textual-serve asks a foreign host for a font; nothing leaves this machine."""


class LocalServer(Server):
    """textual-serve, with a door."""

    def __init__(self, command: str, listening: socket.socket, lines: Callable[[str], None]) -> None:
        self._listening = listening
        self._lines = lines
        self.port = int(listening.getsockname()[1])
        super().__init__(command, ADDRESS, self.port, title="simulee")
        self.key = secrets.token_urlsafe(24)
        self._cookie = f"simulee-{self.port}"

    @property
    def address(self) -> str:
        """Where to look, the key included."""
        return f"http://{ADDRESS}:{self.port}/?key={self.key}"

    async def on_startup(self, app: web.Application) -> None:
        """Say where, instead of the library's banner."""
        self._lines(self.address)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._door)
        return app

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if urlsplit(f"//{request.host}").hostname not in OURS:
            raise web.HTTPForbidden(text="simulee answers only as 127.0.0.1 or localhost\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="simulee answers only its own page\n")
        given = request.query.get("key", "")
        if given and hmac.compare_digest(given.encode(), self.key.encode()):
            entered = web.HTTPFound("/")
            entered.set_cookie(self._cookie, self.key, httponly=True, samesite="Strict")
            raise entered
        if not hmac.compare_digest(request.cookies.get(self._cookie, "").encode(), self.key.encode()):
            if request.path == "/":
                return web.Response(text=ASKED, content_type="text/html", headers={"Cache-Control": "no-store"})
            raise web.HTTPForbidden(text="the key is missing: open the address that simulee printed\n")
        # A tunnel may end at another port: the page's own addresses follow what the browser asked for.
        self.public_url = f"http://{request.host}"
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = POLICY.format(host=request.host)
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["Cache-Control"] = "no-store"
        return response

    def serve(self, debug: bool = False) -> None:
        """Serve until Ctrl+C."""
        web.run_app(
            self._make_app(), sock=self._listening, print=lambda *_: None, access_log=None, shutdown_timeout=2.0
        )


def serve(face: Face, port: int) -> None:
    """Serve the workbench until Ctrl+C. Raises UsageError when the port is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UsageError(f"port {port} cannot be had: {error.strerror}", "another one: simulee web --port 0") from None
    words = [sys.executable, "-P", "-m", "tui.cli", *(["-w", str(face.folder.absolute())] if face.folder else [])]

    def told(address: str) -> None:
        taken = listening.getsockname()[1]
        face.result(
            {"url": address, "port": taken},
            [
                f"The workbench is at {address}",
                f"From another machine: ssh -L {taken}:{ADDRESS}:{taken} YOU@HERE, then the same address there.",
                "Ctrl+C ends it; runs go on.",
            ],
        )

    LocalServer(shlex.join(words), listening, told).serve()
