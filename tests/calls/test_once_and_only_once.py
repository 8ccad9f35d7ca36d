"""No call is made twice: not at once, not in another run, not after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.calls.caller import open_caller
from core.models.generation import CallFailed, Told
from core.store.model_calls import outcomes, recent_calls
from core.workspace import Workspace
from tests.asking import TINY, anchored, ask_all, question, use_server
from tests.fault_server import FaultServer

ROOT = Path(__file__).parents[2]
ASKING = (
    "import sys; from pathlib import Path; from core.workspace import Workspace; from tests.asking import ask_all\n"
    "first, last = map(int, sys.argv[2:4])\n"
    "answers = ask_all(Workspace.open(Path(sys.argv[1])), [f'passage {n}' for n in range(first, last)], sys.argv[4])\n"
    "sys.exit(0 if all(isinstance(each, str) for each in answers) else 1)"
)


def asking(workspace: Workspace, first: int, last: int, run: str = "r") -> subprocess.Popen[bytes]:
    """A process that asks about the passages of these numbers."""
    arguments = [str(workspace.root), str(first), str(last), run]
    return subprocess.Popen([sys.executable, "-c", ASKING, *arguments], cwd=ROOT, stderr=subprocess.PIPE)


def test_the_same_ask_at_once_is_one_call(workspace: Workspace) -> None:
    with FaultServer(latency=0.05) as server:
        use_server(workspace, server)
        assert ask_all(workspace, ["the tide"] * 40) == ["I remember: the tide"] * 40
        assert server.prompts == {"the tide": 1}


def test_whoever_waits_for_a_cancelled_call_makes_it_itself(workspace: Workspace) -> None:
    async def work() -> str:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            asks = [
                asyncio.create_task(caller.ask(question("tide"), anchored("tide"), purpose="retell", about=()))
                for _ in range(2)
            ]
            assert await asyncio.to_thread(server.wait_for, 1, 60)
            asks[0].cancel()
            return await asks[1]

    with FaultServer(latency=0.1) as server:
        use_server(workspace, server)
        assert asyncio.run(work()) == "I remember: tide"
        assert set(outcomes(workspace.database, "", "writer")) == {"cancelled", "answered"}


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"temperature": 0.5}, {"max_tokens": 51}, {"schema": None}, {"choices": ("a", "b")}]
)
def test_another_parameter_is_another_ask(workspace: Workspace, change: dict[str, object]) -> None:
    async def work() -> None:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            for ask in (question("tide"), question("tide", **change), question("tide")):
                await caller.ask(ask, anchored("tide"), purpose="retell", about=())

    with FaultServer() as server:
        use_server(workspace, server)
        asyncio.run(work())
        assert server.prompts["tide"] == 2


def test_an_answer_that_is_no_longer_taken_is_asked_for_again(workspace: Workspace) -> None:
    strict = "I remember: tide, truly"

    def stricter(told: Told) -> str:
        if strict not in told.text:
            raise CallFailed("too bland", "not enough", retryable=True)
        return told.text

    async def work() -> None:
        async with open_caller(workspace, "writer", waits=TINY) as caller:
            await caller.ask(question("tide"), anchored("tide"), purpose="retell", about=())
            server.content = lambda _prompt: f'{{"memory": "{strict}"}}'
            for _ in range(2):
                await caller.ask(question("tide"), stricter, purpose="retell", about=())

    with FaultServer() as server:
        use_server(workspace, server)
        asyncio.run(work())
        assert server.prompts["tide"] == 2


def test_killed_again_and_again_a_run_repeats_no_more_than_was_under_way(workspace: Workspace) -> None:
    items, at_once, kills = 240, 8, 5
    with FaultServer(latency=0.02) as server:
        use_server(workspace, server, concurrency=at_once)
        for kill in range(kills):
            process = asking(workspace, 0, items)
            assert server.wait_for(len(server.received) + 10 + 7 * kill, within=60)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        last = asking(workspace, 0, items)
        _, complaint = last.communicate(timeout=120)
        assert last.returncode == 0, complaint
        assert len(server.received) <= items + kills * at_once
        assert len(server.prompts) == items
    told = outcomes(workspace.database, "r", "writer")
    assert told["answered"] == items
    assert 0 < told["unknown"] <= kills * at_once
    assert set(told) == {"answered", "unknown"}


def test_a_row_is_on_the_disk_before_its_call_leaves(workspace: Workspace) -> None:
    """The server itself looks into the ledger when a request arrives."""
    other = Workspace.open(workspace.root)
    seen: list[int] = []

    def content(prompt: str) -> str:
        seen.append(len([call for call in recent_calls(other.database, 1000) if call.outcome == "unknown"]))
        return f'{{"memory": "{prompt}"}}'

    with FaultServer(content=content) as server:
        use_server(workspace, server)
        ask_all(workspace, [f"passage {number}" for number in range(50)])
    assert len(seen) == 50
    assert min(seen) >= 1
    rows = recent_calls(workspace.database, 1000)
    assert {(row.outcome, row.host, row.purpose, row.model) for row in rows} == {
        ("answered", f"127.0.0.1:{server.port}", "retell", "m")
    }


def test_two_processes_write_their_ledgers_at_once(workspace: Workspace) -> None:
    with FaultServer(latency=0.005) as server:
        use_server(workspace, server)
        processes = [asking(workspace, 0, 150, "one"), asking(workspace, 150, 300, "two")]
        for process in processes:
            _, complaint = process.communicate(timeout=120)
            assert process.returncode == 0, complaint
        assert len(server.received) == 300
    assert [outcomes(workspace.database, run, "writer") for run in ("one", "two")] == [{"answered": 150}] * 2
    assert workspace.database.value("PRAGMA integrity_check") == "ok"
