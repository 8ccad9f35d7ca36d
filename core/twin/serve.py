"""The serving run: the twin over loopback in OpenAI's form, behind a token, one answer at a time.

The event loop is the main thread's. Models and the store belong to one thread of their own, in which answers are made;
between its pieces an answer looks whether somebody still wants it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from core.atomic import write_atomically
from core.errors import Interrupted, RunError, SimuleeError, UsageError
from core.runs.job import Job
from core.twin.answering import Refusal, ServedTwin, finished
from core.twin.chat import Answer
from core.twin.protocol import EXTENSION, LARGEST_BODY, PARTS, TWIN_MODEL, Begun, ChatRequest

HOST = "127.0.0.1"
TOKEN_FILE = "token"  # noqa: S105 - a file's name
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost"})
"""What a request may call this server: a page that points a name of its own at loopback is refused."""
WAITING = 8
"""Questions that may wait for their turn."""
LOOK_SECONDS = 0.2
LINGER_SECONDS = 2.0
"""What an answer has to end in, once the server is asked to stop."""


class ServeParams(BaseModel):
    """What a serving run is asked."""

    port: int = 0
    """0 takes a free one."""
    idle_minutes: float = 15.0
    """Without a question for so long it stops by itself; 0 never."""


def run(job: Job) -> dict[str, Any]:
    """Serve until asked to stop, or idle for long."""
    params = ServeParams.model_validate(job.params)
    return asyncio.run(_Server(job, params).serve())


class _Server:
    """The event loop's side."""

    def __init__(self, job: Job, params: ServeParams) -> None:
        self._job = job
        self._params = params
        self._token = secrets.token_urlsafe(32)
        self._thread = ThreadPoolExecutor(1, "twin")
        self._stopping = threading.Event()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._answers = 0
        self._last = time.monotonic()
        self._twin: ServedTwin | None = None

    async def serve(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()

        def tell(done: int, what: str) -> None:
            if self._stopping.is_set():
                raise Interrupted("stopped while loading", "`simulee serve` starts it again")
            loop.call_soon_threadsafe(self._job.progress, done, PARTS, what)

        loading = loop.run_in_executor(self._thread, ServedTwin, self._job.workspace.root, tell)
        try:
            await self._until(loading)
            self._twin = loading.result()
            return await self._listen()
        finally:
            self._stopping.set()
            if not loading.done():
                await asyncio.wait([loading])
            if self._twin is not None:
                await loop.run_in_executor(self._thread, self._twin.close)
            elif not loading.cancelled():
                loading.exception()
            self._thread.shutdown()

    async def _listen(self) -> dict[str, Any]:
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._guard])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        # A client that goes away cancels its handler, and with it the answer.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=LINGER_SECONDS)
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
            port = runner.addresses[0][1]
            url = f"http://{HOST}:{port}/v1"
            self._job.progress(PARTS, PARTS, "ready")
            self._job.event("ready", url=url, token_file=str(token_file.resolve()), model=TWIN_MODEL)
            self._last = time.monotonic()
            while not self._is_idle():
                self._job.stop_point()
                await asyncio.sleep(LOOK_SECONDS)
            return {"url": url, "answers": self._answers, "ended": "idle"}
        finally:
            self._stopping.set()
            token_file.unlink(missing_ok=True)
            await runner.cleanup()

    def _is_idle(self) -> bool:
        limit = self._params.idle_minutes * 60
        return limit > 0 and self._waiting == 0 and time.monotonic() - self._last > limit

    async def _until(self, work: asyncio.Future[Any]) -> None:
        """Wait for work, and for a stop beside it."""
        while not work.done():
            self._job.stop_point()
            await asyncio.wait([work], timeout=LOOK_SECONDS)

    # Requests

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            name = request.host.rpartition(":")[0] or request.host
            if name.lower() not in LOOPBACK_NAMES:
                raise Refusal(403, "this server answers only to 127.0.0.1 and localhost", "wrong_host")
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(
                token.strip().encode(errors="replace"), self._token.encode()
            ):
                raise Refusal(401, "a bearer token is needed: it is in the token file", "invalid_api_key")
            response: web.StreamResponse = await handler(request)
            return response
        except Refusal as refusal:
            return _response(refusal)
        except web.HTTPRequestEntityTooLarge:
            return _response(Refusal(413, f"a request may hold {LARGEST_BODY} bytes", "too_large"))
        except web.HTTPException as error:
            return _response(Refusal(error.status, f"{request.method} {request.path}: {error.reason}", "not_found"))
        except SimuleeError as error:
            return _response(_refusal(error))
        except ConnectionError:
            raise
        except Exception as error:  # What breaks one answer must not end the server; the log keeps it.
            traceback.print_exception(error)
            return _response(_defect(error))
        finally:
            self._last = time.monotonic()

    async def _models(self, request: web.Request) -> web.Response:
        twin = self._ready_twin()
        names = await asyncio.get_running_loop().run_in_executor(self._thread, twin.models)
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": EXTENSION} for name in names]
        return web.json_response({"object": "list", "data": rows})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            asked = ChatRequest.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Refusal(400, f"{where}: {first['msg']}" if where else str(first["msg"]), "bad_request") from None
        if asked.messages[-1].role != "user" and not asked.again:
            raise Refusal(400, "the last message must be the user's", "bad_request")
        if self._waiting >= WAITING:
            raise Refusal(429, f"{WAITING} questions are waiting already", "busy", "rate_limit_error")
        identity = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": asked.model}
        async with self._answering(asked) as events:
            return await (self._stream if asked.stream else self._whole)(request, events, identity)

    @asynccontextmanager
    async def _answering(self, asked: ChatRequest) -> AsyncIterator[AsyncIterator[Begun | str | Answer]]:
        """The events of one answer, when it is its turn; leaving early stops it."""
        twin = self._ready_twin()
        loop = asyncio.get_running_loop()
        unwanted = threading.Event()
        queue: asyncio.Queue[Begun | str | Answer | BaseException | None] = asyncio.Queue()

        def put(event: Begun | str | Answer | BaseException | None) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        def answer() -> None:
            try:
                for event in twin.answer(asked, lambda: unwanted.is_set() or self._stopping.is_set()):
                    put(event)
                put(None)
            except BaseException as error:  # It belongs to the request, whose task raises it.
                put(error)

        async def events() -> AsyncIterator[Begun | str | Answer]:
            while (event := await queue.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event

        self._waiting += 1
        try:
            async with self._turn:
                working = loop.run_in_executor(self._thread, answer)
                try:
                    yield events()
                    self._answers += 1
                finally:
                    unwanted.set()
                    # The next question waits until this answer has let go of the models.
                    await asyncio.shield(asyncio.wait([working]))
        finally:
            self._waiting -= 1

    async def _stream(
        self, request: web.Request, events: AsyncIterator[Begun | str | Answer], identity: dict[str, Any]
    ) -> web.StreamResponse:
        first = await anext(events)  # What refuses the question is still answered with a status of its own.
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)

        async def send(value: dict[str, Any]) -> None:
            await response.write(f"data: {json.dumps(value)}\n\n".encode())

        def chunk(
            delta: dict[str, Any], finish: str | None = None, extension: BaseModel | None = None
        ) -> dict[str, Any]:
            choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
            told = {EXTENSION: extension.model_dump()} if extension else {}
            return {**identity, "object": "chat.completion.chunk", "choices": choices, **told}

        assert isinstance(first, Begun)
        await send(chunk({"role": "assistant", "content": ""}, None, first))
        try:
            async for event in events:
                if isinstance(event, str):
                    await send(chunk({"content": event}))
                elif isinstance(event, Answer):
                    await send(chunk({}, event.finish, finished(event)))
        except ConnectionError:
            raise
        except Exception as error:  # The status is sent already: the stream tells what broke.
            if not isinstance(error, SimuleeError):
                traceback.print_exception(error)
            await send((_refusal(error) if isinstance(error, SimuleeError) else _defect(error)).body())
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _whole(
        self, request: web.Request, events: AsyncIterator[Begun | str | Answer], identity: dict[str, Any]
    ) -> web.StreamResponse:
        async for event in events:
            if isinstance(event, Answer):
                message = {"role": "assistant", "content": event.text}
                prompt, answer = event.tokens
                return web.json_response(
                    {
                        **identity,
                        "object": "chat.completion",
                        "choices": [{"index": 0, "message": message, "finish_reason": event.finish}],
                        "usage": {
                            "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
                        },
                        EXTENSION: finished(event).model_dump(),
                    }
                )  # fmt: skip
        raise Refusal(503, "the server is stopping", "stopping", "server_error")

    def _ready_twin(self) -> ServedTwin:
        if self._twin is None or self._stopping.is_set():
            raise Refusal(503, "the server is stopping", "stopping", "server_error")
        return self._twin


def _refusal(error: SimuleeError) -> Refusal:
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, UsageError):
        return Refusal(400, message, "bad_request")
    return Refusal(503, message, "twin_failed", "server_error")


def _defect(error: Exception) -> Refusal:
    return Refusal(500, f"{type(error).__name__}: {error}", "defect", "server_error")


def _response(refusal: Refusal) -> web.Response:
    return web.json_response(refusal.body(), status=refusal.status)
