"""Chats that are lines of text or small JSON objects: this process's standard input, and their form on a websocket.

A line is ``name: text``, or a JSON object ``{"name": …, "text": …, "id": …, "reply_to": …}``, of which the last two may
be left out; ``id`` names the line, ``reply_to`` the line that it answers.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import CancelledError
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from core.twin.rooms.link import News
from core.twin.rooms.room import Heard
from core.twin.rooms.splitting import LineSplitter
from core.twin.rooms.text import Limits, clean, clean_name

LONGEST_INPUT = 16_384
"""Bytes of one line."""
NOBODY = "guest"
"""Who says a line without a name."""
_NAMED = re.compile(r"([^:{]{1,64}):\s+(\S.*)")


class SpokenLine(BaseModel):
    """A line as JSON."""

    model_config = ConfigDict(extra="ignore")
    name: str = NOBODY
    text: str
    id: str = ""
    reply_to: str = ""

    @field_validator("id", "reply_to", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return "" if value is None else str(value) if isinstance(value, int) else value


def heard_json(data: str | bytes) -> Heard | None:
    """A JSON object as a line, cleaned; None for what is none."""
    try:
        spoken = SpokenLine.model_validate_json(data)
    except ValidationError:
        return None
    text = clean(spoken.text)
    if not text:
        return None
    name = clean_name(spoken.name) or NOBODY
    return Heard(name, text, id=clean(spoken.id, 100), reply_to=clean(spoken.reply_to, 100))


def heard_line(line: bytes) -> Heard | None:
    """A line of either form, cleaned; None for an empty one or for JSON that is no line."""
    if line.lstrip()[:1] == b"{":
        return heard_json(line)
    text = clean(line.decode("utf-8", "replace"))
    named = _NAMED.fullmatch(text)
    if named is not None:
        return Heard(clean_name(named[1]) or NOBODY, named[2])
    return Heard(NOBODY, text) if text else None


class StdinLink:
    """Standard input. What the twin says is told as an event; nothing leaves this process otherwise."""

    host = ""
    place = "standard input"
    patient = True

    def __init__(self, nick: str, descriptor: int = 0) -> None:
        self.nick = nick
        self.ready = True
        self._descriptor = descriptor
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        self._refused = 0

    def limits(self, lines: int, characters: int) -> Limits:
        return Limits(characters, lines=lines)

    def opening(self, to: Heard | None, group: bool) -> str:
        return ""

    async def listen(self) -> AsyncGenerator[Heard | News, None]:
        """As in ``Link``: ends with the input."""
        loop = asyncio.get_running_loop()
        # Any file may stand there, which the event loop cannot wait for; a read that never ends must not hold the end.
        threading.Thread(target=self._read, args=(loop,), name="stdin", daemon=True).start()
        splitter = LineSplitter(LONGEST_INPUT)
        while data := await self._queue.get():
            for line in splitter.push(data):
                for each in self._taken(line):
                    yield each
        for line in splitter.last():
            for each in self._taken(line):
                yield each
        if self._refused or splitter.passed_over:
            yield News("passed over", {"not_lines": self._refused, "too_long": splitter.passed_over})

    async def say(self, text: str, to: Heard | None) -> str:
        return ""

    async def close(self) -> None:
        self.ready = False

    def _taken(self, line: bytes) -> list[Heard]:
        heard = heard_line(line)
        if heard is None and line.strip():
            self._refused += 1
        return [heard] if heard is not None else []

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may be closed by then, when somebody has stopped it.
        with suppress(RuntimeError, CancelledError):
            data = b"-"
            while data:
                try:
                    data = os.read(self._descriptor, 4096)
                except OSError:
                    data = b""
                asyncio.run_coroutine_threadsafe(self._queue.put(data), loop).result()
