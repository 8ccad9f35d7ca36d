"""The serving run: what is loaded, where it listens, and how it stops.

The event loop is the main thread's. Models and the store belong to one thread of their own, in which questions are
prepared and answers stored; they are spoken on as many threads as there are slots (``work``).
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from core.atomic import write_atomically
from core.errors import Interrupted, RunError
from core.runs.job import Job
from core.twin.launch import slots_of
from core.twin.protocol import EXTENSION, LARGEST_BODY, PARTS, TWIN_MODEL
from core.twin.serving.answering import ServedTwin
from core.twin.serving.chat import complete_chat
from core.twin.serving.completions import complete_text
from core.twin.serving.embeddings import embed
from core.twin.serving.guard import HEALTH, Guard, Pace
from core.twin.serving.work import Work

HOST = "127.0.0.1"
TOKEN_FILE = "token"  # noqa: S105 - a file's name
LOOK_SECONDS = 0.2
LINGER_SECONDS = 5.0
"""What an answer has to end in, once the server is asked to stop; meanwhile further questions are refused."""


class ServeParams(BaseModel):
    """What a serving run is asked."""

    port: int = 0
    """0 takes a free one."""
    idle_minutes: float = 15.0
    """Without a question for so long it stops by itself; 0 never."""
    slots: Annotated[int | None, Field(ge=1, le=64)] = None
    """Answers at once; None takes ``[twin] slots``."""


def run(job: Job) -> dict[str, Any]:
    """Serve until asked to stop, or idle for long."""
    params = ServeParams.model_validate(job.params)
    return asyncio.run(_Server(job, params).serve())


class _Server:
    """The event loop's side."""

    def __init__(self, job: Job, params: ServeParams) -> None:
        settings = job.workspace.settings.twin
        self._job = job
        self._params = params
        self._slots = slots_of(job.workspace.settings, params.slots)
        self._token = secrets.token_urlsafe(32)
        self._thread = ThreadPoolExecutor(1, "twin")
        self._work = Work(self._thread, self._slots, settings.queue)
        self._guard = Guard(self._token, Pace(settings.requests_per_minute))
        self._unwanted = threading.Event()

    async def serve(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()

        def tell(done: int, what: str) -> None:
            if self._unwanted.is_set():
                raise Interrupted("stopped while loading", "`simulee serve` starts it again")
            loop.call_soon_threadsafe(self._job.progress, done, PARTS, what)

        run = self._job.folder.name
        loading = loop.run_in_executor(self._thread, ServedTwin, self._job.workspace.root, tell, self._slots, run)
        twin: ServedTwin | None = None
        try:
            while not loading.done():
                self._job.stop_point()
                await asyncio.wait([loading], timeout=LOOK_SECONDS)
            twin = loading.result()
            return await self._listen(twin)
        finally:
            self._unwanted.set()
            if not loading.done():
                await asyncio.wait([loading])
            if twin is None and not loading.cancelled() and loading.exception() is None:
                twin = loading.result()
            if twin is not None:
                await loop.run_in_executor(self._thread, twin.close)
            self._work.close()
            self._thread.shutdown()

    async def _listen(self, twin: ServedTwin) -> dict[str, Any]:
        # A client that goes away cancels its handler, and so its answer is not wanted any more.
        runner = web.AppRunner(self._app(twin), handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        token_file = self._job.folder / TOKEN_FILE
        try:
            try:
                await web.TCPSite(runner, HOST, self._params.port).start()
            except OSError as error:
                raise RunError(
                    f"cannot listen on port {self._params.port}: {error.strerror}", "name another one, or 0 for any"
                ) from None
            write_atomically(token_file, self._token)
            url = f"http://{HOST}:{runner.addresses[0][1]}/v1"
            self._job.progress(PARTS, PARTS, "ready")
            self._job.event("ready", url=url, token_file=str(token_file.resolve()), model=TWIN_MODEL, slots=self._slots)
            self._guard.last = time.monotonic()
            while not self._is_idle():
                self._job.stop_point()
                await asyncio.sleep(LOOK_SECONDS)
            return {"url": url, "answers": self._work.answers, "ended": "idle"}
        finally:
            self._guard.draining = True
            token_file.unlink(missing_ok=True)
            await self._work.drain(LINGER_SECONDS, twin.stop)
            await runner.cleanup()

    def _app(self, twin: ServedTwin) -> web.Application:
        work = self._work

        async def health(_: web.Request) -> web.Response:
            draining = self._guard.draining
            return web.json_response({"status": "stopping" if draining else "ok"}, status=503 if draining else 200)

        async def models(_: web.Request) -> web.Response:
            names = await work.on_twin(twin.models)
            rows = [{"id": name, "object": "model", "created": 0, "owned_by": EXTENSION} for name in names]
            return web.json_response({"object": "list", "data": rows})

        async def model(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            if name not in await work.on_twin(twin.models):
                raise web.HTTPNotFound
            return web.json_response({"id": name, "object": "model", "created": 0, "owned_by": EXTENSION})

        async def chat(request: web.Request) -> web.StreamResponse:
            return await complete_chat(request, twin, work)

        async def completion(request: web.Request) -> web.StreamResponse:
            return await complete_text(request, twin, work)

        async def embeddings(request: web.Request) -> web.StreamResponse:
            return await embed(request, twin, work)

        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._guard.middleware()])
        app.router.add_get(HEALTH, health)
        app.router.add_get("/v1/models", models)
        app.router.add_get("/v1/models/{name}", model)
        app.router.add_post("/v1/chat/completions", chat)
        app.router.add_post("/v1/completions", completion)
        app.router.add_post("/v1/embeddings", embeddings)
        return app

    def _is_idle(self) -> bool:
        limit = self._params.idle_minutes * 60
        return limit > 0 and self._work.busy == 0 and time.monotonic() - self._guard.last > limit
