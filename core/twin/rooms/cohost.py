"""The co-host: hears a room, lets the rules decide, asks the twin, and says what may be said.

Two tasks on one event loop: one hears, the other speaks. An answer takes seconds, in which the room goes on; what came
meanwhile is the next question.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from core.errors import ConsentError, SimuleeError
from core.settings import RoomSettings
from core.twin.rooms.asking import Spoken
from core.twin.rooms.egress import Egress
from core.twin.rooms.link import Link, News, names_of
from core.twin.rooms.mute import Mute
from core.twin.rooms.pace import Flood, Pace
from core.twin.rooms.room import Asked, Heard, Line, Room
from core.twin.rooms.rules import (
    Due,
    addressed,
    asks_to_mute,
    due,
    is_bot,
    is_command,
    may_be_looked_up,
)
from core.twin.rooms.text import clean, fit, harmless
from core.twin.rooms.topics import Topics

LOOK = 0.2
"""Seconds between two looks at the rules, where nothing is heard."""
LINE_GAP = 1.2
"""Seconds between two messages of one answer: Twitch allows twenty in thirty seconds."""
FIRST_REST = 10.0
MOST_REST = 300.0
"""Seconds in which a twin that cannot be asked is let alone, at first and at the most."""
LIKENESSES = 200

Tell = Callable[[str, dict[str, Any]], None]
"""Told each event: its kind and its payload."""


class Twin(Protocol):
    """What is asked (``core.twin.rooms.asking``)."""

    async def ask(self, asked: Asked, recall: bool = True) -> Spoken: ...

    def forget(self) -> None: ...


class CoHost:
    """The twin in one room."""

    def __init__(
        self,
        link: Link,
        twin: Twin,
        how: RoomSettings,
        target_names: Sequence[str],
        egress: Egress,
        mute: Mute,
        tell: Tell,
        *,
        topics: Topics | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        line_gap: float = LINE_GAP,
    ) -> None:
        self._link = link
        self._twin = twin
        self._how = how
        self._target_names = tuple(target_names)
        self._egress = egress
        self._mute = mute
        self._tell = tell
        self._topics = topics if how.answer_when == "worth" else None
        self._clock = clock
        self._draw = draw
        self._line_gap = line_gap
        self._room = Room(how.lines)
        self._pace = Pace(how.per_minute, how.min_gap)
        self._flood = Flood(how.person_lines, 10.0)
        self._ignored = {each.casefold().lstrip("@") for each in how.ignore}
        self._owners = {each.casefold().lstrip("@") for each in how.owners}
        self._likeness: dict[int, float] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._muted = False
        self._busy = False
        self._failures = 0
        self._resting_until = float("-inf")
        self._news = asyncio.Event()
        self.counts: Counter[str] = Counter()
        """Lines by what became of them, and answers."""

    async def stay(self, should_leave: Callable[[], bool]) -> None:
        """Until asked to leave, or until the chat ends. Raises RunError and ConsentError, after which it has left."""
        hearing = asyncio.create_task(self._hear_all())
        speaking = asyncio.create_task(self._speak())
        tasks = {hearing, speaking}
        try:
            while not should_leave():
                self._tell_mute()
                done, _ = await asyncio.wait(tasks, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
            for each in tasks:
                if each.done():
                    each.result()
        finally:
            # Hearing holds the connection, on which leaving is said.
            await _ended([speaking, *self._looking])
            await self._link.close()
            await _ended([hearing])

    def _tell_mute(self, by: str = "a terminal") -> None:
        """Tell when it has changed, whoever changed it."""
        if self._mute.on != self._muted:
            self._muted = not self._muted
            self._tell("muted" if self._muted else "unmuted", {"by": by})

    # Hearing

    async def _hear_all(self) -> None:
        async with aclosing(self._link.listen()) as events:
            async for event in events:
                if isinstance(event, News):
                    self._tell(event.kind, event.payload)
                    continue
                self.hear(event)
                self._news.set()
                while self._link.patient and (self._busy or (self._due() is not None and not self._mute.on)):
                    await asyncio.sleep(LOOK / 10)

    def hear(self, heard: Heard) -> None:
        """Take one line in: a command, a line of the room, or one that is passed over."""
        now = self._clock()
        self.counts["heard"] += 1
        names = self._names()
        if heard.who == self._link.nick.casefold() or (heard.id and heard.id in self._room.own_ids):
            self.counts["own"] += 1
            return
        if heard.who in self._ignored or heard.name.casefold() in self._ignored:
            self.counts["ignored"] += 1
            return
        silence = asks_to_mute(heard, names)
        if silence is not None and (heard.host or heard.who in self._owners):
            self._mute.set(silence)
            self._tell_mute(heard.name)
            return
        if is_bot(heard) or is_command(heard):
            self.counts["for programs"] += 1
            return
        if not self._flood.lets(heard.who, now):
            self.counts["flood"] += 1
            return
        line = self._room.hear(heard, now, self._draw(), addressed(heard, names, self._room.own_ids))
        if line is None:
            self.counts["twice"] += 1
        elif self._topics is not None and not line.addressed and may_be_looked_up(line) and self._may_speak(now):
            looking = asyncio.create_task(self._look_up(self._topics, line))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)

    async def _look_up(self, topics: Topics, line: Line) -> None:
        try:
            found = await topics.likeness(line.heard.text)
        except SimuleeError as error:
            self._topics = None
            self._tell("no topics", {"why": error.message, "hint": error.hint})
            return
        if found is not None:
            self._likeness[line.place] = found
            while len(self._likeness) > LIKENESSES:
                del self._likeness[next(iter(self._likeness))]
            self._news.set()

    # Speaking

    async def _speak(self) -> None:
        while True:
            wanted = self._due()
            if wanted is not None and self._may_speak(self._clock()) and self._link.ready and not self._mute.on:
                self._busy = True
                await self._answer(wanted)
                self._busy = False
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._news.wait()

    def _due(self) -> Due | None:
        return due(self._room, self._how, self._clock(), self._likeness)

    def _may_speak(self, now: float) -> bool:
        return now >= self._pace.ready_at() and now >= self._resting_until

    def _names(self) -> tuple[str, ...]:
        return names_of(self._link.nick, self._how.names, self._target_names)

    async def _answer(self, wanted: Due) -> None:
        asked = self._room.asked()
        heard = wanted.line.heard
        self._tell("asked", {"why": wanted.why, "name": heard.name, "text": heard.text, "lines": len(asked.places)})
        try:
            self._egress.check()
            spoken = await self._cleared(asked)
        except ConsentError:
            raise
        except SimuleeError as error:
            self._failures += 1
            self._resting_until = self._clock() + min(MOST_REST, FIRST_REST * 2.0 ** min(self._failures - 1, 10))
            self._hold(asked, error.message, error.hint)
            return
        self._failures = 0
        if spoken is None:
            return
        to = heard if wanted.why in ("addressed", "open question") else None
        opening = self._link.opening(to, self._room.group)
        limits = self._link.limits(self._how.max_lines, self._how.max_chars).less(opening)
        lines = fit(_without_name(spoken.text, self._names()), limits)
        if not lines:
            self._hold(asked, "the twin said nothing")
            return
        await self._say([opening + lines[0], *lines[1:]], asked, to, spoken)

    async def _cleared(self, asked: Asked) -> Spoken | None:
        """The twin's answer, asked again without memories where one of them may not be told to this host."""
        spoken = await self._twin.ask(asked)
        why = self._egress.objection(spoken.chunks)
        if why:
            self._tell("again", {"why": f"a memory may not be told here: {why}", "session": spoken.session})
            self._twin.forget()
            spoken = await self._twin.ask(asked, recall=False)
            why = self._egress.objection(spoken.chunks)
            if why:
                self._hold(asked, f"a memory may not be told here: {why}")
                return None
        return spoken

    async def _say(self, lines: Sequence[str], asked: Asked, to: Heard | None, spoken: Spoken) -> None:
        said: list[str] = []
        ids: list[str] = []
        for line in lines:
            if said:
                await asyncio.sleep(self._line_gap)
            if self._mute.on:
                break
            # Asked anew for each line: consent that was taken back holds at once.
            self._egress.check()
            if not said and not self._pace.take(self._clock()):
                break
            try:
                with self._egress.row(line, spoken.chunks):
                    ids.append(await self._link.say(line, to))
            except (OSError, TimeoutError) as error:
                self._tell("held", {"why": f"the connection broke: {error}", "hint": ""})
                break
            said.append(line)
        if not said:
            self._hold(asked, "muted" if self._mute.on else "not said")
            return
        text = " ".join(said)
        self._room.answered(asked, text, self._clock(), [each for each in ids if each])
        self.counts["said"] += 1
        self._tell(
            "said",
            {
                "text": text, "messages": len(said), "to": to.name if to else None,
                "reply_to": (to.id or None) if to else None, "session": spoken.session, "message": spoken.message,
            },
        )  # fmt: skip

    def _hold(self, asked: Asked, why: str, hint: str = "") -> None:
        self._room.settle(asked.places[-1])
        self.counts["held"] += 1
        self._tell("held", {"why": clean(why, 300), "hint": hint})


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _without_name(text: str, names: Sequence[str]) -> str:
    """An answer without the twin's own name before it: small models write the log of the room on."""
    text = harmless(clean(text, 4000))
    for name in names:
        if text.casefold().startswith(f"{name.casefold()}:"):
            return text[len(name) + 1 :].lstrip()
    return text
