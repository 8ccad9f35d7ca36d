"""A small workspace, embedded, and the real serving run over it."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from core.corpus import importing
from core.journey import EMBED
from core.runs import control
from core.runs.journal import Run, load_run
from core.twin.client import Serving, serving_of
from core.twin.launch import SERVE_ENTRY, SERVE_KIND
from core.workspace import Workspace

Started = tuple[Run, Serving]
SLOTS = 4


def start(workspace: Workspace, **params: Any) -> Started:
    """A serving run that is ready."""
    run = control.start(workspace, SERVE_KIND, SERVE_ENTRY, {"idle_minutes": 0, **params})
    for event in control.follow(workspace, run.id):
        if event.kind == "ready":
            serving = serving_of(run)
            assert serving is not None
            return run, serving
    raise AssertionError(load_run(workspace.runs, run.id).result)


def end(workspace: Workspace, run: Run) -> None:
    """Ask it to stop, and wait."""
    control.cancel(workspace, run.id)
    for _ in control.follow(workspace, run.id):
        pass


def log_of(run: Run) -> str:
    """What the run wrote beside its events: tracebacks, where there were any."""
    log = run.folder / "output.log"
    return log.read_text("utf-8", "replace") if log.exists() else ""


@pytest.fixture(scope="module")
def twin(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of four notes, embedded."""
    folder = tmp_path_factory.mktemp("notes")
    for note in sorted((sample / "ada" / "vault").iterdir())[:4]:
        shutil.copy(note, folder)
    workspace = Workspace.create(tmp_path_factory.mktemp("twin") / "ws", "Ada Marlow")
    choices, _ = importing.plan([folder], None)
    sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
    control.run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    control.run_to_end(workspace, *EMBED, {})
    return workspace


@pytest.fixture(scope="module")
def served(twin: Workspace) -> Iterator[Started]:
    """One answer at a time, as by default."""
    run, serving = start(twin)
    yield run, serving
    if load_run(twin.runs, run.id).state == "running":
        end(twin, run)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace without a corpus: nothing is recalled in it."""
    return Workspace.create(tmp_path_factory.mktemp("bare") / "ws", "Ada Marlow")


@pytest.fixture(scope="module")
def crowd(bare: Workspace) -> Iterator[Started]:
    """Several answers at once."""
    run, serving = start(bare, slots=SLOTS)
    yield run, serving
    if load_run(bare.runs, run.id).state == "running":
        end(bare, run)


@pytest.fixture
def client(crowd: Started) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=crowd[1].url, api_key=crowd[1].token, max_retries=0, timeout=300) as client:
        yield client


Ask = Callable[..., tuple[int, dict[str, Any]]]


def request(serving: Serving, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
    """One bare request; status and JSON."""
    address = urlsplit(serving.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=300)
    try:
        connection.request(method, path, body or None, {"Authorization": f"Bearer {serving.token}"} | headers)
        response = connection.getresponse()
        values: dict[str, Any] = json.loads(response.read())
        return response.status, values
    finally:
        connection.close()


@pytest.fixture
def ask(served: Started) -> Ask:
    """One bare request to the server of one slot."""

    def do(
        method: str = "GET", path: str = "/v1/models", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        return request(served[1], method, path, body, **headers)

    return do
