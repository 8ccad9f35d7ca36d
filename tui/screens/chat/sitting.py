"""One sitting at a talk: which session, set how, and what the store and the twin have said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.errors import SimuleeError, UsageError
from tui.screens.chat.talk import Live, Talk

if TYPE_CHECKING:
    from core.store.sessions import SessionRow
    from core.twin.transcript import Transcript
    from core.workspace import Workspace
    from tui.app import Workbench

STORED_WITHIN = 3.0
"""Seconds that the server has to store an answer that was stopped."""
STORE_POLL = 0.15


class Sitting:
    """What the screen draws. Reading goes through the bench; asking goes to the serving twin."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._talk: Talk | None = None
        self._asking = False
        self.session: int | None = None
        """None until the first question of a talk is stored."""
        self.as_of = ""
        self.memories = True
        self.hybrid = False
        self.speaker = ""
        self.adapter = ""
        """The one in use: what a talk that is not begun yet will speak with."""
        self.transcript: Transcript | None = None
        self.failure: SimuleeError | None = None

    @property
    def live(self) -> Live | None:
        """The answer that is under way, until what came of it is read from the store."""
        return self._talk.live if self._talk is not None and self._asking else None

    @property
    def last_live(self) -> Live | None:
        """The last answer, under way or over."""
        return self._talk.live if self._talk is not None else None

    def place(self) -> dict[str, Any]:
        """Where one is, to be come back to."""
        return {
            "session": self.session, "as_of": self.as_of, "memories": self.memories, "speaker": self.speaker,
            "hybrid": self.hybrid,
        }  # fmt: skip

    def come_back(self, place: dict[str, Any]) -> None:
        """To where ``place`` says."""
        session = place.get("session")
        self.session = session if isinstance(session, int) and 0 < session < 2**62 else None
        self.as_of, self.speaker = (
            value if isinstance(value := place.get(name), str) else "" for name in ("as_of", "speaker")
        )
        self.memories = place.get("memories") is not False
        self.hybrid = place.get("hybrid") is True

    async def open(self, workspace: Workspace) -> None:
        """Talk with the twin of this workspace."""
        if self._talk is not None and self._talk.root == workspace.root:
            return
        if self._talk is not None:
            await self._talk.close()
            self.leave()
        self._talk = Talk(workspace.root)

    async def close(self) -> None:
        """Let go of the twin."""
        if self._talk is not None:
            await self._talk.close()

    async def read(self) -> None:
        """The session as it is stored now."""
        from core.twin.transcript import load_transcript

        self.adapter = await self._bench.read(_active_adapter)
        session = self.session
        found = None
        if session is not None:
            try:
                found = await self._bench.read(load_transcript, session)
            except UsageError:
                self.session = None
        self.transcript = found
        if found is not None:
            self.as_of = found.session.as_of

    async def find(self, words: list[str]) -> list[SessionRow]:
        """Sessions in which these words were said."""
        return await self._bench.read(_sessions_with, words)

    def begin(self, as_of: str = "") -> None:
        """The next question begins a session, as of a date."""
        self.leave()
        self.as_of = as_of

    def leave(self) -> None:
        """No session."""
        self.session, self.transcript, self.failure = None, None, None

    def stop(self) -> None:
        """Stop the answer that is under way."""
        if self._talk is not None:
            self._talk.stop()

    async def ask(self, text: str, again: bool, begun: Callable[[], None]) -> Live | None:
        """Ask, and wait until what came of it is stored and read. None where an answer is under way already."""
        talk = self._talk
        if talk is None or self._asking:
            return None
        self.failure = None
        self._asking = True
        try:
            return await self._ask(talk, text, again, begun)
        finally:
            self._asking = False

    async def _ask(self, talk: Talk, text: str, again: bool, begun: Callable[[], None]) -> Live:
        from core.twin.client import Question

        session, before = self.session, self.transcript
        question = Question(
            text, session, again, "" if session else self.as_of, self.memories, self.speaker, hybrid=self.hybrid
        )
        asking = asyncio.ensure_future(talk.ask(question))
        await asyncio.sleep(0)
        begun()
        live = await asking
        if self.session == session:
            self.session = live.session or session
        if live.stopped and live.message_id is None and live.session is not None:
            await self._until_stored(before, live.session)
        self.failure = live.error
        await self.read()
        return live

    async def _until_stored(self, before: Transcript | None, session: int) -> None:
        """Wait a little for an answer that was stopped to be in the store."""
        from core.twin.transcript import load_transcript

        known = sum(len(each.answers) for each in before.asked) if before else 0
        for _ in range(int(STORED_WITHIN / STORE_POLL)):
            try:
                now = await self._bench.read(load_transcript, session)
            except UsageError:
                return
            if sum(len(each.answers) for each in now.asked) > known:
                return
            await asyncio.sleep(STORE_POLL)


def _active_adapter(workspace: Workspace) -> str:
    from core.store.adapters import active_adapter

    adapter = active_adapter(workspace.database)
    return adapter.name if adapter else ""


def _sessions_with(workspace: Workspace, words: list[str]) -> list[SessionRow]:
    from core.store.sessions import list_sessions

    return list_sessions(workspace.database, words)
