"""The way of one request through the threads: prepared on the twin's, spoken on the pool's, stored on the twin's.

It is a task of its own, which a client that goes away does not break off: the answer ends at its next piece, is stored
as far as it went, and only then lets go of its session and of its slot.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from core.errors import ModelError
from core.prompts.commands import Command
from core.twin.protocol import Begun
from core.twin.serving.answering import Spoken
from core.twin.serving.channel import Channel, Event, Piece, Whole
from core.twin.serving.turns import Turns
from core.twin.speaking import Prepared, Speaking

T = TypeVar("T")


class UnderWay(Protocol):
    """A request that was prepared: a talk, or a raw continuation."""

    begun: Begun | None
    first: Prepared

    def further(self, choice: int) -> Prepared:
        """What another choice is spoken from."""

    def followed(self, prepared: Prepared, commands: Sequence[Command], said: str) -> Prepared:
        """What an answer goes on from, once the twin has asked for its memories, having said so much. Where it fails,
        what was prepared is still to be finished."""

    def finish(self, prepared: Prepared, speaking: Speaking) -> Spoken | None:
        """What was spoken; must follow every preparation."""

    def ahead(self) -> Callable[[], None] | None:
        """What may be done for the next question, on any thread."""

    def ahead_done(self) -> None:
        """Must follow where there was something to do."""

    def end(self) -> None:
        """Must follow once nothing more is prepared, spoken or read."""


class Work:
    """The requests under way."""

    def __init__(self, thread: Executor, slots: int, queue: int) -> None:
        """``thread`` is the twin's."""
        self._thread = thread
        self._pool = ThreadPoolExecutor(slots, "speaking")
        self._turns = Turns(slots, queue)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        self.answers = 0

    @property
    def busy(self) -> int:
        """Requests that are answered or wait."""
        return self._turns.busy

    async def on_twin(self, do: Callable[..., T], *arguments: object) -> T:
        """Something short on the twin's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: do(*arguments))

    @asynccontextmanager
    async def events(
        self, prepare: Callable[[], UnderWay], choices: int, pieces: bool, session: str
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """What happens to one request; leaving early stops it. Raises Refusal where the queue is full."""
        self._turns.admit()
        channel = Channel(pieces)
        task = asyncio.create_task(self._answer(prepare, choices, session, channel))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            yield channel.events()
        finally:
            channel.unwanted.set()

    async def drain(self, within: float, stop: Callable[[], None] = lambda: None) -> None:
        """Let what is under way end by itself for so many seconds, then at its next piece; ``stop`` ends the waiting
        for one that may never come."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        self._stopping.set()
        stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        self._pool.shutdown()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._turns.leave()

    async def _answer(self, prepare: Callable[[], UnderWay], choices: int, session: str, channel: Channel) -> None:
        try:
            async with self._turns.of(session):
                if self._unwanted(channel):
                    channel.put(None)
                    return
                under_way = await self.on_twin(prepare)
                # Nobody is told of a session that begins before its turn is taken: whoever goes on with it waits.
                begun = str(under_way.begun.session_id) if under_way.begun else ""
                try:
                    async with self._turns.of("" if begun == session else begun):
                        await self._choices(under_way, choices, channel)
                        channel.put(None)
                        await self._ahead(under_way)
                finally:
                    await self.on_twin(under_way.end)
        except BaseException as error:  # It belongs to the request, whose handler raises it.
            channel.put(error)

    async def _ahead(self, under_way: UnderWay) -> None:
        """While nobody else asks: what makes the next answer begin sooner. The request has all that is its own."""
        if self.busy > 1 or self._stopping.is_set():
            return
        read = await self.on_twin(under_way.ahead)
        if read is None:
            return
        try:
            async with self._turns.speaking():
                await asyncio.get_running_loop().run_in_executor(self._pool, read)
        except ModelError:
            return  # The next answer meets the same, and tells it.
        finally:
            await self.on_twin(under_way.ahead_done)

    async def _choices(self, under_way: UnderWay, choices: int, channel: Channel) -> None:
        if under_way.begun is not None:
            channel.put(under_way.begun)
        prepared = under_way.first
        for choice in range(choices):
            if choice:
                if self._unwanted(channel):
                    return
                prepared = await self.on_twin(under_way.further, choice)
            spoken: Spoken | None = None
            speaking = Speaking(prepared)
            while True:
                try:
                    async with self._turns.speaking():
                        await self._speak(prepared, speaking, choice, channel)
                finally:
                    if not speaking.commands:
                        spoken = await self.on_twin(under_way.finish, prepared, speaking)
                if not speaking.commands:
                    break
                try:
                    prepared = await self.on_twin(under_way.followed, prepared, speaking.commands, speaking.said)
                except BaseException:
                    speaking.break_off()
                    await self.on_twin(under_way.finish, prepared, speaking)
                    raise
                speaking.go_on(prepared)
            if spoken is None:
                return
            self.answers += 1
            channel.put(Whole(choice, spoken))

    async def _speak(self, prepared: Prepared, speaking: Speaking, choice: int, channel: Channel) -> None:
        def speak() -> None:
            words = iter(speaking)
            try:
                while not self._unwanted(channel) and (piece := next(words, None)) is not None:
                    if channel.pieces:
                        channel.put(Piece(choice, piece))
            finally:
                words.close()

        where = self._pool if prepared.anywhere else self._thread
        await asyncio.get_running_loop().run_in_executor(where, speak)

    def _unwanted(self, channel: Channel) -> bool:
        return channel.unwanted.is_set() or self._stopping.is_set()
