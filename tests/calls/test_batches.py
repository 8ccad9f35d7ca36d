"""Asks that go as one batch are answered, checked and kept like any others, and survive a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from core.calls.batches import BatchEngine
from core.calls.caller import Caller
from core.calls.limiter import FIRST_LIMIT
from core.errors import BudgetError
from core.models.endpoint import EndpointEngine
from core.models.generation import CallFailed
from core.store.database import Database
from core.store.model_calls import outcomes, spent_by
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


def ask_in_batches(
    workspace: Workspace,
    url: str,
    prompts: list[str],
    run: str = "",
    until: Callable[[], bool] | None = None,
    **caps: float,
) -> list[str | CallFailed]:
    """As ``open_caller`` sets it up for ``batch = true``, with a day in milliseconds. Given up once ``until`` holds."""
    use_server(workspace, url, batch=True, **caps)
    path = workspace.root / DATABASE_FILE

    async def work() -> list[str | CallFailed]:
        settings = workspace.settings.models.writer
        engine = BatchEngine(EndpointEngine(url, "m"), path, gather=0.05, poll=0.02)
        async with Caller(
            engine, Database.open(path), role="writer", settings=settings, privacy=lambda: workspace.privacy,
            waits=TINY, first_limit=max(FIRST_LIMIT, engine.slots), run=run,
        ) as caller:  # fmt: skip
            asking = asyncio.create_task(ask_each(caller, prompts))
            if until is None:
                return await asking
            while not until():
                await asyncio.sleep(0.01)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            return []

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


@pytest.mark.parametrize("cap", [{}, {"max_calls": 10}, {"max_tokens": 10 * (20 + 50)}])
def test_a_batch_that_is_given_up_and_found_again_counts_once(workspace: Workspace, cap: dict[str, float]) -> None:
    with BatchServer(looks=10**9) as server:
        ask_in_batches(workspace, server.url, PROMPTS[:10], "recall-1", lambda: bool(server.batches), **cap)
        given_up = spent_by(workspace.database, "recall-1", "writer")
        assert outcomes(workspace.database, "recall-1", "writer") == {"cancelled": 10}
        assert (given_up.calls, given_up.tokens > 500) == (10, True), "the most that they can use"
        server.looks = 0
        assert ask_in_batches(workspace, server.url, PROMPTS[:10], "recall-1", **cap) == GOOD[:10]
        assert len(server.batches) == 1
    assert outcomes(workspace.database, "recall-1", "writer") == {"answered": 10}
    spent = spent_by(workspace.database, "recall-1", "writer")
    assert (spent.calls, spent.tokens < given_up.tokens) == (10, True)


def test_a_batch_that_is_found_again_leaves_room_under_the_cap_for_what_is_new(workspace: Workspace) -> None:
    with BatchServer(looks=10**9) as server:
        ask_in_batches(workspace, server.url, PROMPTS[:10], "recall-1", lambda: bool(server.batches), max_calls=12)
        server.looks = 0
        assert ask_in_batches(workspace, server.url, PROMPTS[:12], "recall-1", max_calls=12) == GOOD[:12]
        with pytest.raises(BudgetError, match="max_calls = 12"):
            ask_in_batches(workspace, server.url, PROMPTS[:13], "recall-1", max_calls=12)
    assert spent_by(workspace.database, "recall-1", "writer").calls == 12


class Picky(BatchServer):
    """Knows only OpenAI's newer name for the most tokens of an answer, and draws at no temperature but its own."""

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        for name in ("max_tokens", "temperature"):
            if name in line["body"]:
                said = {"message": f"Unsupported parameter: '{name}'", "param": name, "code": "unsupported_parameter"}
                response = {"status_code": 400, "body": {"error": said}}
                return {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}
        return super()._line(line)


def test_a_parameter_that_a_batch_refuses_is_left_out_of_the_next(workspace: Workspace) -> None:
    with Picky() as server:
        assert ask_in_batches(workspace, server.url, PROMPTS[:10], "recall-1") == GOOD[:10]
        assert len(server.batches) == 3, "each parameter is refused once"
    assert outcomes(workspace.database, "recall-1", "writer") == {"parameter refused": 20, "answered": 10}
