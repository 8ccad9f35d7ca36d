"""The fault server with OpenAI's batch interface: files in, files out, done after a few looks."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fault_server import FaultServer


@dataclass
class BatchServer(FaultServer):
    """Answers batches as it would answer each ask; ``looks`` at a batch find it under way before it is done."""

    looks: int = 2
    loses_naming: bool = False
    """Whether the connection breaks after a batch was made and before its name is told."""
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next downloads, which bring nothing."""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def routes(self, app: web.Application) -> None:
        super().routes(app)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._download)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._look)
        self.created = threading.Event()

    async def _upload(self, request: web.Request) -> web.Response:
        if self.mode == "500":
            return self._error(500, "no files today")
        form = await request.post()
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        name = f"file-{len(self.files)}"
        self.files[name] = uploaded.file.read()
        return web.json_response(
            {"id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": "f", "purpose": "batch",
             "status": "processed"}
        )  # fmt: skip

    async def _download(self, request: web.Request) -> web.Response:
        if self.refusals:
            return self._error(self.refusals.pop(0), "not this time")
        return web.Response(body=self.files[request.match_info["id"]])

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = f"batch-{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": "24h", "status": "in_progress", "created_at": 0, "metadata": body["metadata"],
            "looks": 0,
        }  # fmt: skip
        self.created.set()
        if self.loses_naming:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(self.batches[name])

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def _look(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        batch["looks"] += 1
        if batch["looks"] > self.looks and batch["status"] == "in_progress":
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            answers = [self._line(line) for line in lines]
            output = f"file-{len(self.files)}"
            self.files[output] = "\n".join(json.dumps(line) for line in answers).encode()
            batch |= {"status": "completed", "output_file_id": output}
        return web.json_response(batch)

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        body, prompt = line["body"], line["body"]["messages"][-1]["content"]
        self.prompts[prompt] += 1
        mode = self.mode_of(prompt, self.prompts[prompt]) if self.mode_of else self.mode
        response = {"status_code": 200, "body": self._completion(body, prompt, mode)}
        if mode == "500":
            response = {"status_code": 500, "body": {"error": {"message": "as asked"}}}
        return {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}
