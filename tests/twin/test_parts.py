"""What a twin is loaded from: a voice is kept as long as it is needed, and no longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import ModelError
from core.twin.chat import ChatOptions, Conversation
from core.twin.parts import BASE_ONLY, Parts
from core.twin.speaking import Speaking
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.scripted import Processes, put_adapters


@pytest.fixture
def parts(workspace: Workspace, processes: Processes) -> Iterator[Parts]:
    """Of a workspace with adapters, of which one simulates."""
    put_adapters(workspace, "first", "second", "simulating")
    with (workspace.root / SETTINGS_FILE).open("a") as file:
        file.write('\n[twin]\nsimulation = "simulating"\n')
    workspace.forget_settings()
    loaded = Parts(workspace)
    yield loaded
    loaded.close()


def test_the_voice_of_an_answer_makes_no_room_for_the_one_that_simulates(parts: Parts, processes: Processes) -> None:
    busy = parts.voice(parts.adapter("second"))
    parts.borrow(busy)
    conversation = Conversation(parts, ChatOptions("first", memories=False, hybrid=True))
    prepared = conversation.prepare("Who is there?")
    assert processes.kept == ["second", "first", "simulating"]
    conversation.finish(prepared, Speaking(prepared))
    parts.give_back(busy)
    parts.voice(parts.adapter(BASE_ONLY))
    assert len(processes.kept) == 2, "none of them is needed any more"


@pytest.mark.parametrize(("fails", "hybrid"), [("withheld", False), ("style", True)])
def test_what_cannot_be_prepared_keeps_no_voice(
    parts: Parts, processes: Processes, monkeypatch: pytest.MonkeyPatch, fails: str, hybrid: bool
) -> None:
    def fail() -> None:
        raise ModelError("the embedder is gone")

    conversation = Conversation(parts, ChatOptions("first", memories=False, hybrid=hybrid))
    monkeypatch.setattr(parts, fails, fail)
    with pytest.raises(ModelError, match="the embedder is gone"):
        conversation.prepare("Who is there?")
    for name in ("second", BASE_ONLY):
        parts.voice(parts.adapter(name))
    assert processes.kept == ["second", ""]
