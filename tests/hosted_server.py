"""OpenAI's fine-tuning interface on loopback: files, jobs, events; each request may go wrong as a test asks.

Nothing is random. A job is done after some looks at it. What a request is called (``upload``, ``files``, ``start``,
``jobs``, ``job``, ``events``, ``cancel``) is what its faults are listed under: the first one is for the next request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fault_server import FaultServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUSES = {
    "429 with wait": (429, {"Retry-After": "0.02"}), "429 long wait": (429, {"Retry-After": "7200"}),
    "500": (500, {}), "503": (503, {}), "not authorized": (401, {}), "not found": (404, {}), "refused": (400, {}),
}  # fmt: skip


@dataclass
class HostedServer(FaultServer):
    """``closed`` and ``hang`` come before anything is done; ``closed after`` and ``hang after`` once it is."""

    faults: dict[str, list[str]] = field(default_factory=dict)
    looks: int = 2
    """Looks at a job that find it under way."""
    ends: dict[str, Any] = field(default_factory=lambda: {"status": "succeeded"})
    """What a job is in the end."""
    events: int = 7
    page: int = 3
    """Rows of one page, whatever is asked for."""
    refuses: tuple[str, ...] = ()
    """Fields of a request for a job that this host does not know."""
    requests: list[str] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Of the requests for a job."""
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Id → name and content of what was uploaded."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    """Of files that are not ``processed``, by id."""
    lag: int = 0
    """Looks at a list, counted from the start, that find nothing in it yet."""
    loose: bool = False
    """Whether null stands for what is empty, 4.0 for 4, and an error is its bare message."""

    def routes(self, app: web.Application) -> None:
        self._came = threading.Condition()
        app.middlewares.append(self._middleware)
        for method, path, handler, name in (
            ("POST", "/v1/files", self._upload, "upload"),
            ("GET", "/v1/files", self._list_files, "files"),
            ("GET", "/v1/files/{id}", self._look_at_file, "file"),
            ("POST", "/v1/fine_tuning/jobs", self._start, "start"),
            ("GET", "/v1/fine_tuning/jobs", self._list_jobs, "jobs"),
            ("GET", "/v1/fine_tuning/jobs/{id}", self._look, "job"),
            ("GET", "/v1/fine_tuning/jobs/{id}/events", self._list_events, "events"),
            ("POST", "/v1/fine_tuning/jobs/{id}/cancel", self._cancel, "cancel"),
        ):
            app.router.add_route(method, path, handler, name=name)

    def wait_until(self, request: str, count: int, within: float = 60.0) -> None:
        """Wait until a kind of request has come so many times."""
        with self._came:
            assert self._came.wait_for(lambda: self.requests.count(request) >= count, within), self.requests

    @property
    def words(self) -> str:
        """Everything that was uploaded, as text."""
        return "\n".join(content.decode() for _, content in self.files.values())

    @property
    def _middleware(self) -> Any:
        @web.middleware
        async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = request.match_info.route.name or ""
            self.heads.append(dict(request.headers))
            with self._came:
                self.requests.append(name)
                self._came.notify_all()
            waiting = self.faults.get(name) or [""]
            fault = waiting.pop(0)
            return await self._with(fault, request, handler)

        return faulty

    async def _with(self, fault: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        if fault in STATUSES:
            status, headers = STATUSES[fault]
            return self._error(status, f"as asked: {fault}", headers)
        if fault == "redirect":
            return web.Response(status=307, headers={"Location": self.redirect_to})
        if fault == "html":
            return web.Response(text="<!DOCTYPE html><html><body>Sign in</body></html>", content_type="text/html")
        if fault == "empty object":
            return web.json_response({})
        if fault == "closed":
            request.transport.close()
            return web.Response()
        if fault == "hang":
            await self._ended_or_gone(request)
            return web.Response()
        response = await handler(request)
        if fault == "closed after":
            request.transport.close()
        elif fault == "hang after":
            await self._ended_or_gone(request)
        elif fault == "truncated":
            assert isinstance(response, web.Response)
            assert isinstance(response.body, bytes)
            return await self._broken(request, response.body, "truncated")
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        assert form["purpose"] == "fine-tune"
        name = f"file-{len(self.files)}"
        self.files[name] = (uploaded.filename, uploaded.file.read())
        return web.json_response(self._file(name))

    def _file(self, name: str) -> dict[str, Any]:
        filename, content = self.files[name]
        return {
            "id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": filename,
            "purpose": "fine-tune", "status": self.statuses.get(name, "processed"),
        }  # fmt: skip

    async def _look_at_file(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        there = name in self.files and self.statuses.get(name) != "deleted"
        return web.json_response(self._file(name)) if there else self._error(404, "no such file")

    async def _list_files(self, request: web.Request) -> web.Response:
        return self._paged(
            request, [self._file(name) for name in reversed(self.files) if self.statuses.get(name) != "deleted"]
        )

    async def _start(self, request: web.Request) -> web.Response:
        body = await request.json()
        for unknown in self.refuses:
            if unknown in body:
                return self._error(400, f"{unknown} is not supported", param=unknown)
        if body["training_file"] not in self.files or body["training_file"] in self.statuses:
            return self._error(400, f"no job can be started on {body['training_file']}")
        self.bodies.append(body)
        name = f"ftjob-{len(self.jobs)}"
        self.jobs[name] = {
            "id": name, "object": "fine_tuning.job", "status": "validating_files", "model": body["model"],
            "training_file": body["training_file"], "metadata": body.get("metadata"), "fine_tuned_model": None,
            "trained_tokens": None, "error": None, "created_at": len(self.jobs), "looks": 0,
        }  # fmt: skip
        return web.json_response(self.jobs[name])

    async def _list_jobs(self, request: web.Request) -> web.Response:
        return self._paged(request, list(reversed(self.jobs.values())))

    async def _look(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        job["looks"] += 1
        if job["status"] in ("validating_files", "running"):
            job["status"] = "running"
            if job["looks"] > self.looks:
                done = {"fine_tuned_model": f"ft:{job['model']}:{job['id']}", "trained_tokens": 4_000_000}
                job |= (done if self.ends["status"] == "succeeded" else {}) | self.ends
                if self.loose and job["trained_tokens"]:
                    job["trained_tokens"] = float(job["trained_tokens"])
        return web.json_response(job)

    async def _list_events(self, request: web.Request) -> web.Response:
        looks = self.jobs[request.match_info["id"]]["looks"]
        rows = [
            {
                "id": f"ev-{step}", "object": "fine_tuning.job.event", "created_at": step, "level": "info",
                "message": f"Step {step}\x1b[31m: loss", "type": "metrics",
                "data": {"step": step, "train_loss": 3.0 - step / 10, "total_steps": self.events},
            }
            for step in range(1, min(looks * 4, self.events) + 1)
        ]  # fmt: skip
        return self._paged(request, rows[::-1])

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        if job["status"] not in ("validating_files", "running"):
            return self._error(400, f"the job is {job['status']} already")
        job["status"] = "cancelled"
        return web.json_response(job)

    def _paged(self, request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
        if self.lag:
            self.lag, rows = self.lag - 1, []
        if self.loose and not rows:
            return web.json_response({"object": "list", "data": None, "has_more": None})
        after = request.query.get("after")
        begin = next((place + 1 for place, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[begin : begin + self.page]
        more = begin + self.page < len(rows)
        return web.Response(
            text=json.dumps({"object": "list", "data": page, "has_more": more or (None if self.loose else False)}),
            content_type="application/json",
        )
