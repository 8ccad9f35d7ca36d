"""Rows of the ledger and answers of the cache, committed many at a time by one thread of its own.

With ``synchronous = FULL`` a commit takes milliseconds, and a call needs two: before it leaves and when it has ended.
While one commit is on its way to the disk the next ones gather, so that hundreds of calls a second cost a few dozen
commits, and the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from core.store.call_cache import replace
from core.store.database import Database
from core.store.model_calls import Ended, Leaving, close_call, open_call, reopen_call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Work:
    do: Callable[[Database], Any]
    done: Future[Any]


class GroupCommit:
    """Writes that many callers wait for, each with the commit that holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    async def write(self, do: Callable[[Database], T]) -> T:
        """What ``do`` returns, once it is on the disk. Raises StoreError, and so does all that was in its commit."""
        return await asyncio.wrap_future(self.submit(do))

    def submit(self, do: Callable[[Database], T]) -> Future[T]:
        """The same without waiting."""
        done: Future[T] = Future()
        self._queue.put(_Work(do, done))
        return done

    async def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """The same, for who has no event loop. Blocks until all is written."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        database: Database | None = None
        ended = False
        while not ended:
            batch, ended = self._gathered()
            # A caller that was cancelled still gets its write: the call it tells of was made.
            try:
                database = database or Database.open(self._path)
                with database.write():
                    results = [work.do(database) for work in batch]
            except Exception as error:
                for work in batch:
                    _settle(work.done, error=error)
            else:
                for work, result in zip(batch, results, strict=True):
                    _settle(work.done, result)
        if database is not None:
            database.close()

    def _gathered(self) -> tuple[list[_Work], bool]:
        """Everything that waits, at least one; and whether that was the end."""
        batch = []
        work = self._queue.get()
        while work is not None:
            batch.append(work)
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


class Ledger:
    """The ledger of one role in one run."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    async def open(self, call: Leaving) -> int:
        """Write a call down before it leaves; returns its row."""
        return await self._commits.write(lambda database: open_call(database, call))

    async def reopen(self, row: int) -> int:
        """The same for a call that was given up, and whose answer is waited for again."""
        await self._commits.write(lambda database: reopen_call(database, row))
        return row

    async def open_many(self, calls: list[Leaving]) -> list[int]:
        return await self._commits.write(lambda database: [open_call(database, call) for call in calls])

    async def answered(self, row: int, ended: Ended, key: str, value: str) -> None:
        """Close a row and keep its answer in the cache, in one commit."""

        def write(database: Database) -> None:
            close_call(database, row, ended)
            replace(database, key, value)

        await self._commits.write(write)

    async def failed(self, row: int, ended: Ended) -> None:
        await self._commits.write(lambda database: close_call(database, row, ended))

    def given_up(self, row: int, ended: Ended) -> None:
        """Close a row without waiting for it: its call was cancelled, and so is whoever would wait."""
        self._commits.submit(lambda database: close_call(database, row, ended))


def moment() -> str:
    """Now, as the ledger writes it: UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _settle(done: Future[Any], result: Any = None, error: Exception | None = None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
