"""The sample as a workspace, private parts too, for all tests of what a twin may claim and show."""

from __future__ import annotations

import pytest

from core.workspace import Workspace
from tests.embedded_sample import embedded_sample
from tests.twin.scripted import Processes


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """What the parts of a twin start in place of llama.cpp."""
    started = Processes()
    monkeypatch.setattr("core.twin.parts.LlamaVoice", started)
    return started


@pytest.fixture(scope="session")
def embedded_ada(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """All of the sample, embedded; its twin tries an answer to everything."""
    workspace = embedded_sample(tmp_path_factory.mktemp("ada") / "ws", private=True).workspace
    with (workspace.root / "persona.toml").open("a") as file:
        file.write("\n[twin]\nabstain = false\n")
    return Workspace.open(workspace.root)
