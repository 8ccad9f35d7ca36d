"""One answer at a time from the serving twin: what has come of it so far, and how it ended."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SimuleeError

if TYPE_CHECKING:
    from core.twin.client import Question, TwinClient


@dataclass(slots=True)
class Live:
    """An answer under way. ``state`` says what the twin is doing while there are no words yet."""

    question: str
    asker: str
    again: bool
    text: str = ""
    state: str = "looking for the twin"
    session: int | None = None
    begun: bool = False
    """Whether the question is stored."""
    message_id: int | None = None
    """Known once the answer is."""
    stopped: bool = False
    error: SimuleeError | None = None
    missed: tuple[str, ...] = ()
    """Why a model gave no memory where it was asked for one."""
    fell_back: str = ""
    """Why an answer in hybrid mode is not what was merged."""
    over: bool = False


class Talk:
    """The conversation with one workspace's server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.live: Live | None = None
        self._client: TwinClient | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.live is not None and not self.live.over

    async def ask(self, question: Question) -> Live:
        """Ask, and wait for how it ends; ``live`` shows how far it is meanwhile. Errors are in what comes back."""
        live = self.live = Live(question.text, question.speaker, question.again, session=question.session)
        self._task = asyncio.create_task(self._follow(question, live))
        try:
            await asyncio.wait([self._task])
            with suppress(asyncio.CancelledError):
                self._task.result()
        except SimuleeError as error:
            live.error = error
        finally:
            self._task.cancel()
            live.over = True
        return live

    def stop(self) -> None:
        """Stop the answer that is under way."""
        if self.live is not None and self._task is not None and not self._task.done():
            self.live.stopped = True
            self._task.cancel()

    async def close(self) -> None:
        """Stop, and let go of the server; it goes on until it is idle."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._client is not None:
            await self._client.close()

    async def _follow(self, question: Question, live: Live) -> None:
        from core.twin.client import TwinClient, Waking
        from core.twin.protocol import Begun, Finished

        if self._client is None:
            self._client = TwinClient(self.root)
        async with aclosing(self._client.ask(question)) as events:
            async for event in events:
                if isinstance(event, str):
                    live.text += event
                elif isinstance(event, Waking):
                    live.state = waking_words(event.done, event.total, event.what)
                elif isinstance(event, Finished):
                    live.session, live.message_id = event.session_id, event.message_id
                    live.missed = tuple(event.missed)
                    live.fell_back = event.fell_back
                elif isinstance(event, Begun):
                    live.session, live.begun = event.session_id, True
                    live.state = "recalling, simulating, merging" if question.hybrid else "recalling"


def waking_words(done: int, total: int, what: str) -> str:
    """How far the server's loading is."""
    if not total or done >= total:
        return "waking the twin"
    return f"waking the twin: {what} ({done + 1} of {total})"
