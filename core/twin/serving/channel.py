"""What the threads that speak tell the request that waits: pieces, gathered while nobody listens, and how it ended."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.twin.protocol import Begun
from core.twin.serving.answering import Spoken


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one choice."""

    choice: int
    text: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One choice, finished."""

    choice: int
    spoken: Spoken


Event = Begun | Piece | Whole


class Channel:
    """From any thread to one request on the event loop."""

    def __init__(self, pieces: bool) -> None:
        """``pieces`` says whether the request wants words as they come, or only the end."""
        self.pieces = pieces
        self.unwanted = threading.Event()
        """Set once nobody reads any more."""
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event | BaseException | None] = deque()
        self._ready = asyncio.Event()
        self._told = False

    def put(self, event: Event | BaseException | None) -> None:
        """Something has happened; None is the end, an error belongs to the request."""
        self._events.append(event)
        if not self._told:
            # One waking for all that comes until it is read: a loop that is behind must not be woken for each word.
            self._told = True
            self._loop.call_soon_threadsafe(self._ready.set)

    async def events(self) -> AsyncIterator[Event]:
        """Until the end; words of one choice that came together are one piece. Raises what went wrong."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            self._told = False
            words: list[str] = []
            choice = 0
            while self._events:
                event = self._events.popleft()
                if isinstance(event, Piece):
                    choice = event.choice
                    words.append(event.text)
                    continue
                if words:
                    yield Piece(choice, "".join(words))
                    words = []
                if event is None:
                    return
                if isinstance(event, BaseException):
                    raise event
                yield event
            if words:
                yield Piece(choice, "".join(words))
