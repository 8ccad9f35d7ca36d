"""Text that is none: an argument is told, and what else cannot be encoded is not repeated, since it may be a secret."""

from __future__ import annotations

import pytest

from core.workspace import Workspace
from tests.asking import use_server
from tests.fault_server import FaultServer
from tui.command_line import run


def test_a_question_that_is_no_text_is_told(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["chat", "-w", str(workspace.root), "--once", "caf\udce9?"]) == 2
    told = capfd.readouterr().err
    assert "is not text" in told
    assert "Traceback" not in told


def test_a_key_of_other_letters_is_not_repeated(
    workspace: Workspace, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDE_KEY", "sk-Tid\u00e9-0123")
    with FaultServer() as server:
        use_server(workspace, server, "persona", base="SmolLM2-135M-Instruct", api_key_env="TIDE_KEY")
        assert run(["chat", "-w", str(workspace.root), "--once", "Who is there?", "--no-memories"]) == 1
        assert server.received == []
    told = "".join(capfd.readouterr())
    assert "what the variable TIDE_KEY holds is no key" in told
    assert "sk-" not in told
