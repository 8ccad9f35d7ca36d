"""Fixtures that many tests share: an empty workspace, a small corpus in it, and the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.corpus import importing
from core.runs.control import run_to_end
from core.workspace import Workspace

TARGET = "Ada Marlow"


def pytest_configure() -> None:
    """An interrupt is heard here, and so by every process that is begun here: a shell's background job ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker begins one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace whose target is Ada Marlow."""
    return Workspace.create(tmp_path / "ws", TARGET)


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample target's folder in this checkout."""
    return Path(__file__).parents[1] / "data"


Importing = Callable[..., dict[str, Any]]


@pytest.fixture
def import_paths() -> Importing:
    """Import paths into a workspace as a run, as the command does; returns the run's result."""

    def do(
        workspace: Workspace, paths: Sequence[Path], format_name: str | None = None, **options: Any
    ) -> dict[str, Any]:
        choices, _ = importing.plan(paths, format_name)
        requests = [
            importing.Request(str(choice.source.path), choice.importer.name, choice.match.confidence)
            for choice in choices
        ]
        params = {"sources": [asdict(request) for request in requests], **options}
        return run_to_end(workspace, importing.KIND, importing.ENTRY, params)

    return do


Simulee = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def simulee(tmp_path: Path) -> Simulee:
    """The real command in a process of its own: ``simulee("import", path, cwd=…)``."""

    def do(*arguments: object, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from tui.cli import main; main()", *map(str, arguments)],
            cwd=cwd or tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600, check=False,
            **options,
        )  # fmt: skip

    return do


def interview(asker: str, date: str, exchanges: Sequence[tuple[str, str]], title: str = "") -> str:
    """A raft transcript of Ada Marlow, as JSON text."""
    return json.dumps(
        {
            "participants": {"q": asker, "a": TARGET},
            "date": date,
            "title": title or f"{asker} {date}",
            "url": f"https://example.org/{date}",
            "exchanges": [list(exchange) for exchange in exchanges],
        }
    )


@pytest.fixture
def write_interview(tmp_path: Path) -> Callable[..., Path]:
    """Write a transcript file and return its path: ``write_interview("2012-01-01", [("Q?", "A.")])``."""

    def do(date: str, exchanges: Sequence[tuple[str, str]], asker: str = "Ines Calder") -> Path:
        path = tmp_path / f"{date}-{asker.split()[0].lower()}.json"
        path.write_text(interview(asker, date, exchanges), "utf-8")
        return path

    return do
