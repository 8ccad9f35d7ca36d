"""What a chat is to the co-host: lines come in, lines go out, and news of the connection beside them."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.twin.rooms.room import Heard
from core.twin.rooms.text import Limits

STEADY = 60.0
"""Seconds after which a connection counts as one that held."""
FIRST_TRIES = 4
"""Attempts to reach a place that was never reached; one that was is tried for ever."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to the connection: an event of the run."""

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before connecting again: twice as long each time, to the most, and never all at once."""

    first: float = 1.0
    most: float = 300.0

    def pause(self, failures: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds after so many failures in a row, from 1 on."""
        whole = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return whole * (0.5 + draw() / 2)


class Link(Protocol):
    """One chat."""

    host: str
    """``name:port`` that receives what is said; empty where it stays on this machine."""
    place: str
    """The room, for people."""
    nick: str
    """By which the chat knows the twin now."""
    patient: bool
    """Whether a line waits until the one before it was answered."""
    ready: bool
    """Whether something may be said now."""

    def limits(self, lines: int, characters: int) -> Limits:
        """What a message may hold, and no more than ``characters``."""

    def listen(self) -> AsyncGenerator[Heard | News, None]:
        """Connect, and stay so; ends where the chat ends for good. Raises RunError for what trying again cannot mend,
        ConsentError where the host may not be spoken to any more."""

    def opening(self, to: Heard | None, group: bool) -> str:
        """The words before an answer that say whom it answers, where the chat itself does not."""

    async def say(self, text: str, to: Heard | None) -> str:
        """Say one line, as an answer to another where the chat knows answers; returns its id or an empty string.

        Raises ConnectionError where it may not have gone out.
        """

    async def close(self) -> None:
        """Leave, politely where there is time."""


def addressing(name: str, group: bool) -> str:
    """How an answer begins in a chat that knows no answers, where several talk."""
    return f"{name}: " if group and name else ""


def names_of(nick: str, given: Sequence[str], target: Sequence[str]) -> tuple[str, ...]:
    """What the twin is called in a room: by settings, else by its nick and the target's names."""
    return tuple(dict.fromkeys((nick, *(given or target)))) if nick else tuple(given or target)
