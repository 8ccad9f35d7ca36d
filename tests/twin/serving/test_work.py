"""The way of a request through the threads: a session's questions follow one another from the first one on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import BudgetError, Interrupted
from core.settings import Settings
from core.store.sessions import session_messages
from core.twin.launch import slots_of
from core.twin.protocol import Begun, ChatRequest
from core.twin.serving.answering import ServedTwin, Talk
from core.twin.serving.channel import Event, Piece, Whole
from core.twin.serving.heard import heard
from core.twin.serving.work import Work
from core.workspace import SETTINGS_FILE, Workspace
from tests.twin.chat_server import ChatServer, said
from tests.twin.scripted import Processes, put_adapters
from tests.twin.test_endpoint_budget import behind


class Served:
    """A twin on its own thread, and the requests to it."""

    def __init__(self, root: Path) -> None:
        self._thread = ThreadPoolExecutor(1, "twin")
        self.work = Work(self._thread, 2, 4)
        self.twin = self._thread.submit(ServedTwin, root, lambda done, what: None, 2).result()

    def prepare(self, question: str, **values: Any) -> Callable[[], Talk]:
        fields = {"messages": [{"role": "user", "content": question}], "memories": False, **values}
        asked = ChatRequest.model_validate(fields)
        return lambda: self.twin.prepare(asked, heard(asked))

    async def all_of(self, question: str, choices: int = 1, session: int | None = None, **values: Any) -> list[Event]:
        prepare = self.prepare(question, session=session, **values)
        async with self.work.events(prepare, choices, True, "" if session is None else str(session)) as events:
            return [event async for event in events]

    def close(self) -> None:
        self._thread.submit(self.twin.close).result()
        self.work.close()
        self._thread.shutdown()


def with_served(root: Path, do: Callable[[Served], Awaitable[None]]) -> None:
    async def run() -> None:
        served = Served(root)
        try:
            await do(served)
            await served.work.drain(10)
        finally:
            served.close()

    asyncio.run(run())


def test_a_question_in_a_session_that_was_just_begun_waits_for_its_first_answer(
    workspace: Workspace, processes: Processes
) -> None:
    go = threading.Event()

    def script(prompt: str) -> str:
        assert go.wait(60)
        return "So it was."

    processes.script = script

    async def see(served: Served) -> None:
        async with served.work.events(served.prepare("The first?"), 1, True, "") as events:
            begun = await anext(events)
        assert isinstance(begun, Begun)
        again = asyncio.create_task(served.all_of("The second?", session=begun.session_id))
        for _ in range(10):
            await asyncio.sleep(0)
        await served.work.on_twin(lambda: None)  # What the second question could have stored is stored.
        go.set()
        await again
        stored = session_messages(workspace.database, begun.session_id)
        assert [each.role for each in stored] == ["user", "assistant", "user", "assistant"]
        assert [each.text for each in stored if each.role == "user"] == ["The first?", "The second?"]

    with_served(workspace.root, see)


def test_after_all_choices_the_voice_makes_room_for_others(workspace: Workspace, processes: Processes) -> None:
    put_adapters(workspace, "second", "third")

    async def see(served: Served) -> None:
        assert [
            type(each) for each in await served.all_of("Who is there?", choices=2) if not isinstance(each, Piece)
        ] == [
            Begun,
            Whole,
            Whole,
        ]
        for name in ("second", "third"):
            await served.all_of("Who is there?", model=name)
        assert processes.kept == ["second", "third"]

    with_served(workspace.root, see)


@pytest.mark.parametrize(
    ("slots", "concurrency", "asked", "taken"), [(4, 2, None, 2), (4, 32, None, 4), (1, 8, 16, 8), (3, None, None, 3)]
)
def test_no_more_answers_are_spoken_at_once_than_the_persona_may_be_asked(
    slots: int, concurrency: int | None, asked: int | None, taken: int
) -> None:
    persona = {"engine": "endpoint", "model": "m", "base_url": "http://h/v1", "concurrency": concurrency}
    settings = Settings.model_validate({"twin": {"slots": slots}, "models": {"persona": persona}})
    assert slots_of(settings, asked) == taken


def test_a_server_that_keeps_silent_does_not_keep_the_twin_from_stopping(workspace: Workspace) -> None:
    silent = threading.Event()

    def script(_: dict[str, Any]) -> list[dict[str, Any] | bytes]:
        silent.wait(60)
        return said("Good evening.")

    async def see(served: Served) -> None:
        async with served.work.events(served.prepare("Who is there?"), 1, True, "") as events:
            while not server.bodies:
                await asyncio.sleep(0.01)
            await asyncio.wait_for(served.work.drain(0, served.twin.stop), 20)
            with pytest.raises(Interrupted):
                async for _ in events:
                    pass
        silent.set()

    with ChatServer(script) as server:
        behind(workspace, server.url, "timeout = 600.0\n")
        try:
            with_served(workspace.root, see)
        finally:
            silent.set()


def test_a_persona_that_the_settings_name_instead_is_asked_from_the_next_question_on(workspace: Workspace) -> None:
    async def see(served: Served) -> None:
        for url, more in ((first.url, "max_calls = 1\n"), (second.url, "max_calls = 2\n")):
            behind(workspace, url, more)
            await served.all_of("Who is there?")
        with pytest.raises(BudgetError, match="max_calls = 2"):
            await served.all_of("And who now?")
        (workspace.root / SETTINGS_FILE).write_text("name = \n")
        with pytest.raises(BudgetError, match="max_calls = 2"):
            await served.all_of("What is broken changes nothing?")
        behind(workspace, first.url, "max_calls = 3\n")
        await served.all_of("And who now?")

    with ChatServer() as first, ChatServer() as second:
        behind(workspace, first.url)
        with_served(workspace.root, see)
        assert (len(first.bodies), len(second.bodies)) == (2, 1)
