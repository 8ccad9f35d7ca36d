"""When the twin speaks in a room: pure rules over what the room remembers, with every chance drawn beforehand.

A line is *addressed* when it names the twin or answers one of its lines. It is *worth answering* when it is a question
to the room that nobody took up, when the twin has something of its own on it, or when the room has fallen silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.settings import RoomSettings
from core.twin.rooms.room import Heard, Line, Room

Why = Literal["addressed", "open question", "topic", "silence", "always"]

PATIENCE = 90.0
"""Seconds in which a line that asks for an answer still gets one: later the room is elsewhere."""
BOTS = frozenset((
    "nightbot", "streamelements", "streamlabs", "moobot", "fossabot", "wizebot", "botisimo", "deepbot", "sery_bot",
    "soundalerts", "pretzelrocks", "commanderroot", "chanserv", "nickserv",
))  # fmt: skip
"""Programs that many rooms have."""
_BOT_NAME = re.compile(r"(?:^|[_\-])[Bb][Oo][Tt](?:[_\-]|$)|[a-z0-9](?:Bot|BOT)$")
_TO_SOMEBODY = re.compile(r"(?:@([\w\-\[\]\\`^{|}]+)|([\w\-\[\]\\`^{|}]+)[:,](?=\s))")
_MUTE = re.compile(r"!(mute|unmute)(?:\s+@?(.+))?", re.IGNORECASE)
_LEAST_WORDS = 4
"""Of a line on which something is looked up."""


@dataclass(frozen=True, slots=True)
class Due:
    """A line that asks for an answer, and why."""

    why: Why
    line: Line


def addressed(heard: Heard, names: Sequence[str], own_ids: Iterable[str] = ()) -> bool:
    """Whether a line names the twin, with word boundaries on both sides, or answers a line of its own."""
    if heard.to_us or (heard.reply_to and heard.reply_to in own_ids):
        return True
    pattern = _naming(tuple(names))
    return pattern is not None and bool(pattern.search(heard.text))


def is_bot(heard: Heard) -> bool:
    """Whether a program said it, as far as a name or the chat tells."""
    return heard.bot or heard.who in BOTS or bool(_BOT_NAME.search(heard.login or heard.name) or
                                                 _BOT_NAME.search(heard.name))  # fmt: skip


def is_command(heard: Heard) -> bool:
    """Whether it speaks to a program rather than to people."""
    return heard.text.startswith("!")


def asks_to_mute(heard: Heard, names: Sequence[str]) -> bool | None:
    """True for the command to be silent, False for the one to speak again, None for any other line."""
    said = _MUTE.fullmatch(heard.text)
    if said is None or (said[2] and said[2].strip().casefold() not in {each.casefold() for each in names}):
        return None
    return said[1].lower() == "mute"


def is_question(text: str) -> bool:
    """Whether it asks something, by its mark."""
    return text.rstrip("\"')] ").endswith(("?", "？", "؟"))


def is_for_another(heard: Heard, room: Room) -> bool:
    """Whether it speaks to somebody else: by a mention, a name at its head, or an answer to their line."""
    if heard.reply_to and heard.reply_to not in room.own_ids and not heard.to_us:
        return True
    head = _TO_SOMEBODY.match(heard.text)
    return head is not None and (head[1] is not None or room.knows(head[2]))


def may_be_looked_up(line: Line) -> bool:
    """Whether a line says enough to look for something on it."""
    return len(line.heard.text.split()) >= _LEAST_WORDS


def due(room: Room, how: RoomSettings, now: float, likeness: Mapping[int, float] | None = None) -> Due | None:
    """The line that asks for an answer now, the last one for the first reason that holds; None when there is none.

    ``likeness`` is, by a line's place, the cosine of the best passage on it, where one was looked up.
    """
    if how.in_a_row and room.in_a_row >= how.in_a_row:
        return None
    fresh = [each for each in room.pending if each.place > room.settled and now - each.at <= PATIENCE]
    for line in reversed(fresh):
        if line.addressed:
            return Due("addressed", line)
    if how.answer_when == "always" and fresh:
        return Due("always", fresh[-1])
    if how.answer_when != "worth":
        return None
    for line in reversed(fresh):
        if _stayed_open(line, room, how, now):
            return Due("open question", line)
    for line in reversed(fresh):
        found = (likeness or {}).get(line.place, -1.0)
        if found >= how.topic_likeness and line.luck < how.topic_chance and not is_for_another(line.heard, room):
            return Due("topic", line)
    last = room.pending[-1] if room.pending else None
    if (
        last is not None
        and last.place > room.settled
        and how.silence > 0
        and how.silence <= now - last.at <= how.silence + PATIENCE
        and last.luck < how.silence_chance
    ):
        return Due("silence", last)
    return None


def _stayed_open(line: Line, room: Room, how: RoomSettings, now: float) -> bool:
    """Whether it is a question to the room that nobody else has taken up for a while."""
    return (
        how.open_question > 0
        and now - line.at >= how.open_question
        and line.luck < how.open_question_chance
        and is_question(line.heard.text)
        and not is_for_another(line.heard, room)
        and not any(each.place > line.place and each.heard.who != line.heard.who for each in room.pending)
    )


@lru_cache(maxsize=64)
def _naming(names: tuple[str, ...]) -> re.Pattern[str] | None:
    told = sorted({each.strip() for each in names if each.strip()}, key=len, reverse=True)
    if not told:
        return None
    either = "|".join(r"\s+".join(re.escape(word) for word in each.split()) for each in told)
    return re.compile(rf"(?<![\w@])@?(?:{either})(?!\w)", re.IGNORECASE)
