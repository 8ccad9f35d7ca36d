"""The twin, as a room asks it: one session for one conversation of the room, begun anew after a silence."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from core.errors import ModelError, SimuleeError
from core.twin.client import Question, TwinClient
from core.twin.protocol import Finished
from core.twin.rooms.room import Asked

MOST_EXCHANGES = 40
"""Of one session; the next one is told the last few."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer."""

    text: str
    session: int
    message: int
    chunks: tuple[int, ...]
    """Passages that its prompt showed, by their ids in the store."""


class RoomTwin:
    """Asks the serving twin for one room."""

    def __init__(self, client: TwinClient, as_of: str, memories: bool, max_tokens: int) -> None:
        self._client = client
        self._as_of = as_of
        self._memories = memories
        self._max_tokens = max_tokens
        self._session: int | None = None
        self._exchanges = 0

    async def ask(self, asked: Asked, recall: bool = True) -> Spoken:
        """Ask and wait for the whole answer; without ``recall`` nothing is remembered. Raises RunError, ModelError."""
        if asked.begins or self._exchanges >= MOST_EXCHANGES:
            self.forget()
        session = self._session
        told: list[dict[str, str]] = []
        for each in () if session or asked.begins else asked.told:
            named = {"name": each.asker} if each.asker else {}
            told += [{"role": "user", "content": each.question, **named}]
            told += [{"role": "assistant", "content": each.answer}]
        question = Question(
            asked.question, session, as_of=self._as_of, memories=self._memories and recall, speaker=asked.asker,
            max_tokens=self._max_tokens, told=tuple(told),
        )  # fmt: skip
        words: list[str] = []
        finished: Finished | None = None
        try:
            async with aclosing(self._client.ask(question)) as events:
                async for event in events:
                    if isinstance(event, str):
                        words.append(event)
                    elif isinstance(event, Finished):
                        finished = event
        except SimuleeError:
            # Whatever became of that session: the next question does not depend on it.
            self.forget()
            raise
        if finished is None:
            raise ModelError("the twin's answer has no end", "ask again")
        self._session = finished.session_id
        self._exchanges += 1
        return Spoken("".join(words).strip(), finished.session_id, finished.message_id, _chunks(finished))

    def forget(self) -> None:
        """Go on in a fresh session."""
        self._session = None
        self._exchanges = 0

    async def close(self) -> None:
        await self._client.close()


def _chunks(finished: Finished) -> tuple[int, ...]:
    """Ids are written ``k12``; one that is written otherwise is a passage that nobody knows."""
    told = [each.chunk for each in finished.memories] + [each.chunk for each in finished.receipts if each.chunk]
    return tuple(dict.fromkeys(int(each[1:]) if each[1:].isdecimal() else -1 for each in told if each))
