"""A writer that fails: talking goes on and says what it is without; measuring does not go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.workspace import Workspace
from tests.fault_server import FaultServer
from tests.recall.answering import answer

pytestmark = pytest.mark.slow


def test_an_answer_says_how_many_memories_it_went_without_and_why(
    asking: Callable[..., Workspace], simulee: Callable[..., Any]
) -> None:
    with FaultServer(answer, mode="not authorized", logprobs_supported=False) as server:
        workspace = asking(server.url, "writer", attempts=1)
        command = ["chat", "-w", workspace.root, "--once", "Do you keep the old charts?", "--adapter", "base"]
        told = simulee(*command, "--seed", 1, "--json")
        assert told.returncode == 0, told.stderr
        values = json.loads(told.stdout)
        assert len(values["missed"]) == workspace.settings.recall.candidates
        assert "without 2 memories: " in told.stderr
        assert values["answer"]


def test_a_twin_without_some_of_its_memories_is_not_measured(
    asking: Callable[..., Workspace], simulee: Callable[..., Any]
) -> None:
    with FaultServer(answer, mode="not authorized", logprobs_supported=False) as server:
        workspace = asking(server.url, "writer", attempts=1)
        told = simulee("evaluate", "-w", workspace.root, "--systems", "b2", "--limit", 1)
        assert told.returncode == 1
        lines = [line for line in told.stderr.splitlines() if line.startswith("simulee: ")]
        assert len(lines) == 1
        assert workspace.database.value("SELECT count(*) FROM scorecard") == 0
