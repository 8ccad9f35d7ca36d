"""Asks that go as one batch are answered, checked and kept like any others, and survive a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from core.calls.batches import BatchEngine
from core.calls.caller import Caller
from core.calls.limiter import FIRST_LIMIT
from core.models.endpoint import EndpointEngine
from core.models.generation import CallFailed
from core.store.database import Database
from core.store.model_calls import outcomes
from core.workspace import DATABASE_FILE, Workspace
from tests.asking import TINY, ask_each, use_server
from tests.batch_server import BatchServer

ROOT = Path(__file__).parents[2]
PROMPTS = [f"passage {number} of the log" for number in range(120)]
GOOD = [f"I remember: {prompt}" for prompt in PROMPTS]
ASKING = (
    "import sys; from pathlib import Path; from core.workspace import Workspace; from tests.calls.test_batches import"
    " ask_in_batches, PROMPTS\nask_in_batches(Workspace.open(Path(sys.argv[1])), sys.argv[2], PROMPTS)"
)


def ask_in_batches(workspace: Workspace, url: str, prompts: list[str]) -> list[str | CallFailed]:
    """As ``open_caller`` sets it up for ``batch = true``, with a day in milliseconds."""
    use_server(workspace, url, batch=True)
    path = workspace.root / DATABASE_FILE

    async def work() -> list[str | CallFailed]:
        settings = workspace.settings.models.writer
        engine = BatchEngine(EndpointEngine(url, "m"), path, gather=0.05, poll=0.02)
        async with Caller(
            engine, Database.open(path), role="writer", settings=settings, privacy=lambda: workspace.privacy,
            waits=TINY, first_limit=max(FIRST_LIMIT, engine.slots),
        ) as caller:  # fmt: skip
            return await ask_each(caller, prompts)

    return asyncio.run(work())


def batches_kept(workspace: Workspace) -> int:
    return int(workspace.database.value("SELECT count(*) FROM call_batch"))


def test_many_asks_are_one_batch(workspace: Workspace) -> None:
    with BatchServer() as server:
        assert ask_in_batches(workspace, server.url, PROMPTS) == GOOD
        assert (len(server.batches), len(server.received)) == (1, 0)
        assert ask_in_batches(workspace, server.url, PROMPTS) == GOOD
        assert len(server.batches) == 1
    assert outcomes(workspace.database, "", "writer") == {"answered": len(PROMPTS)}
    assert batches_kept(workspace) == 0


def test_bad_answers_of_a_batch_are_asked_for_again_and_never_kept(workspace: Workspace) -> None:
    def mode_of(prompt: str, time: int) -> str:
        place = PROMPTS.index(prompt)
        return "ok" if time > 1 or place % 4 else ("bad json", "length", "injection", "500")[place // 4 % 4]

    with BatchServer(mode_of=mode_of) as server:  # type: ignore[arg-type]
        assert ask_in_batches(workspace, server.url, PROMPTS) == GOOD
        assert set(server.prompts.values()) == {1, 2}


@pytest.mark.parametrize("named", [True, False])
def test_after_a_kill_the_batch_is_taken_up_and_not_sent_again(named: bool, workspace: Workspace) -> None:
    with BatchServer(looks=10**9, loses_naming=not named) as server:
        arguments = [sys.executable, "-c", ASKING, str(workspace.root), server.url]
        process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE)
        assert server.created.wait(60)
        if named:
            while not workspace.database.value("SELECT remote FROM call_batch"):
                assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        server.looks, server.loses_naming = 2, False
        assert ask_in_batches(workspace, server.url, PROMPTS) == GOOD
        assert len(server.batches) == 1
        assert set(server.prompts.values()) == {1}
    assert batches_kept(workspace) == 0


def test_a_batch_that_never_reached_the_server_is_sent_again(workspace: Workspace) -> None:
    with BatchServer(mode="500") as server:
        failed = ask_in_batches(workspace, server.url, PROMPTS[:5])
        assert {each.reason for each in failed if isinstance(each, CallFailed)} <= {"server error", "server failing"}
        server.mode = "ok"
        assert ask_in_batches(workspace, server.url, PROMPTS[:5]) == GOOD[:5]
        assert len(server.batches) == 1


def test_answers_that_cannot_be_fetched_for_a_while_are_waited_for(workspace: Workspace) -> None:
    with BatchServer(refusals=[429, 500, 503, 429]) as server:
        assert ask_in_batches(workspace, server.url, PROMPTS[:5]) == GOOD[:5]
        assert server.refusals == []
        assert len(server.batches) == 1
    assert outcomes(workspace.database, "", "writer") == {"answered": 5}


@pytest.mark.parametrize(("status", "sent"), [(401, 1), (403, 1), (408, 1), (404, 2), (422, 2)])
def test_a_batch_is_sent_again_only_where_the_server_has_none(status: int, sent: int, workspace: Workspace) -> None:
    with BatchServer(refusals=[status] * 20) as server:
        failed = ask_in_batches(workspace, server.url, PROMPTS[:5])
        assert all(isinstance(each, CallFailed) for each in failed)
        made = len(server.batches)
        assert batches_kept(workspace) == (sent == 1)
        server.refusals.clear()
        assert ask_in_batches(workspace, server.url, PROMPTS[:5]) == GOOD[:5]
        assert (made, len(server.batches)) == (1, sent)
    assert batches_kept(workspace) == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("write", "made"), [("INSERT", 0), ("UPDATE", 1)])
def test_a_batch_that_cannot_be_written_down_ends_its_asks(write: str, made: int, workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        database.execute(
            f"CREATE TRIGGER full BEFORE {write} ON call_batch BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    with BatchServer() as server:
        with pytest.raises(apsw.ConstraintError, match="the disk is full"):
            ask_in_batches(workspace, server.url, PROMPTS[:5])
        assert len(server.batches) == made
        with database.write():
            database.execute("DROP TRIGGER full")
        assert ask_in_batches(workspace, server.url, PROMPTS[:5]) == GOOD[:5]
        assert len(server.batches) == 1
