"""What a prompt is made of, before a model's template makes text of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SPOKEN = ("assistant", "log")
"""Roles of messages that the target may have said."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function that the target calls in a message, as a chat interface knows it."""

    uid: str
    """By which the message with what came back names it."""
    function: str
    arguments: str
    """A JSON object."""
    text: str
    """The same as a plain-text command."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; ``trained`` marks the target's words that the loss reads."""

    role: str
    content: str
    trained: bool = False
    head: int = 0
    """Characters at the start of an answer that are given to the target: its thinking phase. The loss skips them."""
    calls: tuple[Call, ...] = ()
    """Functions that the target calls here; no dataset holds any."""
    answers: str = ""
    """Of what came back for a call (the role ``tool``): its uid."""

    def stored(self) -> dict[str, Any]:
        """As a dataset keeps it."""
        trained = self.trained and self.role in SPOKEN
        row = {"role": self.role, "content": self.content, "trained": trained}
        return row | ({"head": self.head} if self.head else {})

    @classmethod
    def of(cls, row: dict[str, Any]) -> Message:
        """From what a dataset keeps."""
        return cls(row["role"], row["content"], row["trained"], row.get("head", 0))


@dataclass(frozen=True, slots=True)
class RenderedSegment:
    """A stretch of rendered text that is tokenized on its own; ``answer`` is the index of the turn it answers."""

    text: str
    trained: bool = False
    answer: int | None = None
