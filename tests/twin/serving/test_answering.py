"""What the twin's thread makes of requests: which session goes on, and what a choice beside the first is spoken by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import UsageError
from core.store.sessions import session_messages
from core.twin.preferences import forget_session
from core.twin.protocol import PARTS, ChatRequest, CompletionRequest
from core.twin.serving.answering import Continuation, ServedTwin, Talk
from core.twin.serving.heard import heard
from core.twin.speaking import Prepared, Speaking
from core.workspace import Workspace
from tests.twin.scripted import Processes, put_adapters


@pytest.fixture
def twin(workspace: Workspace, processes: Processes) -> Iterator[ServedTwin]:
    served = ServedTwin(workspace.root, lambda done, what: None, 2)
    yield served
    served.close()


def test_a_twin_that_loads_a_second_voice_is_as_ready_as_before(workspace: Workspace, processes: Processes) -> None:
    told: list[tuple[int, str]] = []
    twin = ServedTwin(workspace.root, lambda done, what: told.append((done, what)), 2)
    assert [done for done, _ in told] == [0, 1]
    put_adapters(workspace, "first", "second")
    for name in ("first", "second"):
        prepared(twin, "Who pays?", model=name).end()
    assert told[2:] == [(PARTS, "the voice, first"), (PARTS, "the voice, second")]
    twin.close()


def prepared(twin: ServedTwin, *said: str, **values: Any) -> Talk:
    """A request whose messages are a question, its answer, the next question, and so on."""
    messages = [{"role": ("user", "assistant")[place % 2], "content": each} for place, each in enumerate(said)]
    asked = ChatRequest.model_validate({"messages": messages, "memories": False, **values})
    return twin.prepare(asked, heard(asked))


def spoken(talk: Talk | Continuation, choice: Prepared | None = None) -> str:
    """What was said, once it is stored."""
    choice = choice or talk.first
    speaking = Speaking(choice)
    list(speaking)
    told = talk.finish(choice, speaking)
    assert told is not None
    return told.text


def test_a_talk_goes_on_for_a_client_that_sends_all_of_it_though_its_session_was_removed(
    twin: ServedTwin, workspace: Workspace
) -> None:
    first = prepared(twin, "Who pays?")
    said = ["Who pays?", spoken(first)]
    forget_session(workspace, first.first.session_id)
    second = prepared(twin, *said, "And why?")
    assert "Who pays?" in second.first.prompt
    said += ["And why?", spoken(second)]
    third = prepared(twin, *said, "Since when?")
    assert third.first.session_id == second.first.session_id, "it is one session from there on"
    spoken(third)


def test_nobody_goes_on_in_another_s_talk_with_the_number_of_a_session_that_was_removed(
    twin: ServedTwin, workspace: Workspace, processes: Processes
) -> None:
    first = prepared(twin, "Who pays?")
    said = ["Who pays?", spoken(first)]
    forget_session(workspace, first.first.session_id)
    processes.script = lambda _: "Nobody does."
    other = prepared(twin, "A secret of mine?")
    spoken(other)
    with pytest.raises(UsageError, match=f"there is no session {first.first.session_id} here"):
        prepared(twin, "And why?", session=first.first.session_id)
    talk = prepared(twin, *said, "And why?")
    assert talk.first.session_id != other.first.session_id
    assert "secret" not in talk.first.prompt
    spoken(talk)
    assert [each.text for each in session_messages(workspace.database, other.first.session_id)] == [
        "A secret of mine?", "Nobody does.",
    ]  # fmt: skip


def test_that_a_session_was_removed_while_it_answers_is_told(twin: ServedTwin, workspace: Workspace) -> None:
    first = prepared(twin, "Who pays?")
    forget_session(workspace, first.first.session_id)
    with pytest.raises(UsageError, match=f"there is no session {first.first.session_id} here"):
        spoken(first)
    first.end()
    said = prepared(twin, "Who else pays?")
    assert spoken(said) == "So it was."
    said.end()


@pytest.mark.parametrize("what", ["talk", "continuation"])
def test_a_choice_beside_the_first_is_spoken_though_other_voices_were_loaded_since(
    twin: ServedTwin, workspace: Workspace, processes: Processes, what: str
) -> None:
    put_adapters(workspace, "first", "second", "third")
    asked = CompletionRequest(model="first", prompt="Once upon a")
    under_way = prepared(twin, "Who pays?", model="first") if what == "talk" else twin.prepare_completion(asked)
    spoken(under_way)
    for name in ("second", "third"):
        other = prepared(twin, "Who else?", model=name)
        spoken(other)
        other.end()
    assert "first" in processes.kept
    assert spoken(under_way, under_way.further(1)) == "So it was."
    under_way.end()
    prepared(twin, "Who else?", model="second")
    assert "first" not in processes.kept
