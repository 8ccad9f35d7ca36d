"""A server's batch interface as an engine: asks that wait together go as one file, and are answered within a day.

An ask is known by the hash of what is asked. A batch is written down before it leaves and named once the server has
named it; after a kill the same asks find their batch again, and are not sent, nor paid, a second time. The answers go
through the same checks, cache and ledger as any others. The form is OpenAI's: ``/files`` and ``/batches``, one JSON
object a line.

Heavy: import it only where calls are made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import openai
from openai.types import Batch

from core.calls.ledger import GroupCommit, moment
from core.models.endpoint import EndpointEngine
from core.models.endpoint_answers import read_answer
from core.models.generation import Ask, CallFailed, Told
from core.store.call_batches import BatchRow, batches_under_way, close_batch, name_batch, open_batch

T = TypeVar("T")

MOST_ASKS = 2000
"""Of one batch."""
KEPT_DAYS = 30
"""How long servers keep a batch's answers."""
REQUEST_WITHIN = 600.0
"""Seconds for one request about a batch, its file among them."""
MOST_SILENCES = 20
"""Looks at a batch, or at its answers, in a row that may fail before its asks do."""
REFUSED = frozenset((400, 404, 413, 422))
"""Statuses by which a server says that there is no such batch, and none to be found later."""
DONE = frozenset(("completed", "expired", "cancelled", "failed"))
LABEL = "simulee"


@dataclass(frozen=True, slots=True)
class _Result:
    """One line of a batch's answers."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Asked:
    """One ask that waits, and the request as it goes into its batch: what the server refuses later changes others."""

    ask: Ask
    body: dict[str, Any]


class BatchEngine:
    """An endpoint whose asks are gathered into batches."""

    def __init__(self, endpoint: EndpointEngine, path: Path, *, gather: float = 2.0, poll: float = 30.0) -> None:
        """``path`` is the workspace's database.

        ``gather``: seconds without another ask before a batch leaves; ``poll``: seconds between two looks at it.
        """
        self._endpoint = endpoint
        self._commits = GroupCommit(path)
        self._gather = gather
        self._poll = poll
        self._asks: dict[str, _Asked] = {}
        self._answers: dict[str, asyncio.Future[Told]] = {}
        self._waiting: list[str] = []
        self._results: dict[str, _Result] = {}
        self._rows: dict[str, BatchRow] = {}
        self._delivered: set[int] = set()
        self._followed: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._read = False

    @property
    def identity(self) -> str:
        return self._endpoint.identity

    @property
    def host(self) -> str:
        return self._endpoint.host

    @property
    def slots(self) -> int:
        return MOST_ASKS

    @property
    def holds_schemas(self) -> bool:
        return False

    async def ask(self, ask: Ask, within: float) -> Told:
        """The answer, once the batch that the ask is in is done; the server's day holds for it, not ``within``."""
        await self._read_rows()
        asked = _Asked(ask, self._endpoint.body(ask))
        name = _name(asked)
        if name in self._results:
            return self._told(self._results[name], asked)
        if name not in self._answers:
            self._asks[name] = asked
            self._answers[name] = asyncio.get_running_loop().create_future()
            row = self._rows.get(name)
            if row is None:
                self._wait(name)
            elif row.id not in self._followed:
                self._followed.add(row.id)
                self._start(self._resume(row))
        return await asyncio.shield(self._answers[name])

    async def holds(self, ask: Ask) -> bool:
        """Whether an ask has its place in a batch already, so that nothing new is sent for it."""
        await self._read_rows()
        name = _name(_Asked(ask, self._endpoint.body(ask)))
        return name in self._results or name in self._answers or name in self._rows

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Only now: whoever was told has stored it, or has let it go.
        for row_id in self._delivered:
            await self._commits.write(lambda database, row_id=row_id: close_batch(database, row_id))  # type: ignore[misc]
        await self._commits.close()
        await self._endpoint.close()

    async def _read_rows(self) -> None:
        async with self._reading:
            if self._read:
                return
            since = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat()
            rows = await self._commits.write(lambda database: batches_under_way(database, self.identity, since))
            self._rows = {name: row for row in rows for name in row.asks}
            self._read = True

    def _wait(self, name: str) -> None:
        self._waiting.append(name)
        if self._gathering is None or self._gathering.done():
            self._gathering = self._start(self._send_what_gathers())

    async def _send_what_gathers(self) -> None:
        while self._waiting:
            seen = -1
            while seen != len(self._waiting) < MOST_ASKS:
                seen = len(self._waiting)
                await asyncio.sleep(self._gather)
            names, self._waiting = self._waiting[:MOST_ASKS], self._waiting[MOST_ASKS:]
            self._start(self._send(names))

    async def _send(self, names: Sequence[str]) -> None:
        label = secrets.token_hex(16)
        lines = [
            {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": self._asks[name].body}
            for name in names
        ]
        file = "\n".join(json.dumps(line) for line in lines).encode()
        async with self._telling(names):
            row_id = await self._commits.write(
                lambda database: open_batch(database, self.identity, label, names, moment())
            )
            row = BatchRow(row_id, label, "", tuple(names))
            self._followed.add(row_id)
            await self._send_file(row, file)

    async def _send_file(self, row: BatchRow, file: bytes) -> None:
        async with self._failing(row):
            async with asyncio.timeout(REQUEST_WITHIN):
                uploaded = await self._endpoint.client.files.create(file=(f"{row.name}.jsonl", file), purpose="batch")
                batch = await self._endpoint.client.batches.create(
                    input_file_id=uploaded.id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={LABEL: row.name},
                )
            await self._follow(row, batch.id)

    async def _resume(self, row: BatchRow) -> None:
        """Take up a batch of an earlier process; one that never reached the server is sent again."""
        async with self._telling(row.asks), self._failing(row):
            remote = row.remote or await self._find(row.name)
            if remote:
                await self._follow(row, remote)
                return
            await self._drop(row)
            for name in row.asks:
                if name in self._answers:
                    self._wait(name)

    async def _find(self, label: str) -> str:
        async with asyncio.timeout(REQUEST_WITHIN):
            async for batch in self._endpoint.client.batches.list(limit=100):
                if (batch.metadata or {}).get(LABEL) == label:
                    return batch.id
        return ""

    async def _follow(self, row: BatchRow, remote: str) -> None:
        """Look at a batch until it is done, then hand out its answers."""
        await self._commits.write(lambda database: name_batch(database, row.id, remote))
        batch = await self._done(remote)
        for file in (batch.output_file_id, batch.error_file_id):
            if file:
                content = await self._patiently(self._endpoint.client.files.content, file)
                self._results |= _results(content.content)
        missing = CallFailed("timeout", f"the batch ended as {batch.status} without an answer", retryable=True)
        for name in row.asks:
            self._rows.pop(name, None)
            if name in self._results:
                self._deliver(name, self._results[name])
            else:
                self._fail(name, missing)
        self._delivered.add(row.id)

    async def _done(self, remote: str) -> Batch:
        while True:
            batch = await self._patiently(self._endpoint.client.batches.retrieve, remote)
            if batch.status in DONE:
                return batch
            await asyncio.sleep(self._poll)

    async def _patiently(self, request: Callable[[str], Awaitable[T]], name: str) -> T:
        """What a request brings, past failures that pass."""
        silences = 0
        while True:
            try:
                async with asyncio.timeout(REQUEST_WITHIN):
                    return await request(name)
            except (TimeoutError, openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                silences += 1
                if silences >= MOST_SILENCES:
                    raise
            await asyncio.sleep(self._poll)

    @asynccontextmanager
    async def _failing(self, row: BatchRow) -> AsyncIterator[None]:
        """What goes wrong with a batch goes wrong with each of its asks; the batch itself is looked for next time."""
        try:
            yield
        except (TimeoutError, openai.APIError) as error:
            failure = self._endpoint.failure(error, {}, REQUEST_WITHIN)
            if isinstance(error, openai.APIStatusError) and error.status_code in REFUSED:
                await self._drop(row)
            else:
                self._keep(row)
            for name in row.asks:
                self._fail(name, failure)
        except Exception:
            self._keep(row)
            raise

    @asynccontextmanager
    async def _telling(self, names: Sequence[str]) -> AsyncIterator[None]:
        """Whatever ends the work on these asks ends them too: nobody waits for an answer that cannot come."""
        try:
            yield
        except Exception as error:
            for name in names:
                self._fail(name, error)
            raise

    def _keep(self, row: BatchRow) -> None:
        """The next time that any of its asks is asked, the batch is looked for."""
        self._rows |= dict.fromkeys(row.asks, row)
        self._followed.discard(row.id)

    async def _drop(self, row: BatchRow) -> None:
        self._followed.discard(row.id)
        for name in row.asks:
            self._rows.pop(name, None)
        await self._commits.write(lambda database: close_batch(database, row.id))

    def _told(self, result: _Result, asked: _Asked) -> Told:
        if result.status == 200:
            return read_answer(result.body, asked.ask, self.host)
        raise self._endpoint.refusal(result.status, {}, result.body, asked.body)

    def _deliver(self, name: str, result: _Result) -> None:
        future = self._answers.pop(name, None)
        if future is None or future.done():
            return
        try:
            future.set_result(self._told(result, self._asks.pop(name)))
        except CallFailed as failure:
            # The next attempt is to be a new one.
            self._results.pop(name, None)
            future.set_exception(failure)

    def _fail(self, name: str, failure: Exception) -> None:
        future = self._answers.pop(name, None)
        if future is not None and not future.done():
            future.set_exception(failure)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at here: those who wait for its asks have been told.


def _name(asked: _Asked) -> str:
    return hashlib.sha256(json.dumps(asked.body, sort_keys=True).encode()).hexdigest()[:32]


def _results(content: bytes) -> dict[str, _Result]:
    """custom_id → result, of the lines that can be read; an ask whose line cannot be has no result."""
    found = {}
    for line in content.splitlines():
        try:
            loaded = json.loads(line)
            response = loaded["response"]
            found[str(loaded["custom_id"])] = _Result(
                int(response["status_code"]), json.dumps(response["body"]).encode()
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found
