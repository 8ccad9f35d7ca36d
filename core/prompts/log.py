"""The text-completion form: a named log of many speakers, one line a turn, without a chat template (METHODS 5).

A persona that completes such a log moves through a conversation as the target does, drifting where they drift. The
target's lines are trained after their name; everybody else's are only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.prompts.messages import Message, RenderedSegment

ROLE = "log"
"""The role of a message that is a line of a log."""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn: who, what, and whether the target said it."""

    name: str
    text: str
    mine: bool = False


def log_messages(lines: Sequence[Line]) -> list[Message]:
    """Lines as a sample keeps them: ``name: text``, on one line each, the name given and the target's text trained."""
    found = []
    for line in lines:
        head = name_of(line.name)
        words = " ".join(line.text.split())
        found.append(Message(ROLE, f"{head} {words}", line.mine, len(head) if line.mine else 0))
    return found


def name_of(name: str) -> str:
    """How a speaker's line begins; a colon or a line's end in a name would end it early."""
    return " ".join(name.replace(":", " ").split()) + ":"


def is_log(messages: Sequence[Message]) -> bool:
    """Whether a sample is a log rather than a chat."""
    return bool(messages) and messages[0].role == ROLE


def log_segments(messages: Sequence[Message]) -> list[RenderedSegment]:
    """A log's text, cut where the target's words begin and end; the line's end belongs to them."""
    segments: list[RenderedSegment] = []
    answers = 0
    for message in messages:
        head, said = message.content[: message.head], message.content[message.head :] + "\n"
        if head:
            segments.append(RenderedSegment(head))
            segments.append(RenderedSegment(said, message.trained, answers))
            answers += 1
        else:
            segments.append(RenderedSegment(said))
    return segments
