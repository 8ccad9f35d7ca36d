"""What a room remembers: the last lines with who said them and when, what the twin answered, and what is unanswered.

The lines since the twin's last answer are the next question, as an imported chat's are (``core.corpus.exchanges``): in
a group each begins with who says it, between two it is the bare words.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from core.corpus.exchanges import GROUP, GROUP_SILENCE, SILENCE

IDS = 2000
"""Ids of lines that are remembered, so that none is heard twice."""
TWICE_WITHIN = 30.0
"""Seconds in which the same words of one person are one line."""
TOLD = 4
"""Exchanges that a fresh session is told of."""
LONGEST_QUESTION = 2000
"""Characters; of more, the oldest lines are left out."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line as a link brings it, cleaned."""

    name: str
    """As it is shown."""
    text: str
    login: str = ""
    """By which the chat knows them; empty where that is the name."""
    id: str = ""
    reply_to: str = ""
    """The id of the line that it answers."""
    to_us: bool = False
    """The chat says that it answers a line of the twin's."""
    bot: bool = False
    """The chat says that a program wrote it."""
    host: bool = False
    """The chat says that the room is theirs."""

    @property
    def who(self) -> str:
        """One spelling for one person."""
        return (self.login or self.name).casefold()


@dataclass(frozen=True, slots=True)
class Line:
    """A line in the room. ``at`` is in seconds of the room's clock; ``luck`` is drawn once, from 0 to 1."""

    place: int
    heard: Heard
    at: float
    luck: float
    addressed: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question of the room and what the twin really said."""

    question: str
    asker: str
    answer: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the twin is asked."""

    question: str
    asker: str
    """Empty where the question names its speakers itself."""
    places: tuple[int, ...]
    """The lines that it is made of."""
    told: tuple[Exchange, ...] = ()
    """The last exchanges before it, for a session that does not know them."""
    begins: bool = False
    """After a silence: what was said before it is another conversation."""


class Room:
    """The last lines of one room. Holds no clock: whoever hears brings the moment."""

    def __init__(self, most: int = 20) -> None:
        self.pending: deque[Line] = deque(maxlen=most)
        """Lines since the twin's last answer."""
        self.exchanges: deque[Exchange] = deque(maxlen=TOLD)
        self.own_ids: OrderedDict[str, None] = OrderedDict()
        """Of the twin's own lines, where the chat tells them."""
        self.settled = 0
        """Lines up to this place ask for nothing any more."""
        self.last_at: float | None = None
        """When anybody last said something, the twin included."""
        self.in_a_row = 0
        """Answers while nobody but one person spoke."""
        self._partner = ""
        self._places = 0
        self._people: OrderedDict[str, float] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._said: deque[tuple[str, str, float]] = deque(maxlen=50)
        self._group = False
        self._begins = True

    def hear(self, heard: Heard, at: float, luck: float, addressed: bool) -> Line | None:
        """Take a line in. None for one that was heard already, by its id or word for word just now."""
        if heard.id and heard.id in self._ids:
            return None
        key = (heard.who, heard.text)
        if any(key == (who, text) and at - when < TWICE_WITHIN for who, text, when in self._said):
            return None
        self._begin_again(at)
        if heard.id:
            _keep(self._ids, heard.id, IDS)
        if heard.who != self._partner:
            self._partner, self.in_a_row = heard.who, 0
        self._said.append((*key, at))
        self._people[heard.who] = at
        self._people.move_to_end(heard.who)
        while len(self._people) > IDS:
            self._people.popitem(last=False)
        self._group = self._group or len(self._people) + 1 >= GROUP
        self._places += 1
        line = Line(self._places, heard, at, luck, addressed)
        self.pending.append(line)
        self.last_at = at
        return line

    def knows(self, who: str) -> bool:
        """Whether this person spoke in this conversation."""
        return who.casefold() in self._people

    @property
    def group(self) -> bool:
        """Whether more than one person talks with the twin."""
        return self._group

    def asked(self) -> Asked:
        """The lines since the last answer as a question. Raises IndexError when there are none."""
        lines = list(self.pending)
        if not lines:
            raise IndexError("nothing was said")
        while len(lines) > 1 and sum(len(each.heard.text) for each in lines) > LONGEST_QUESTION:
            lines.pop(0)
        askers = dict.fromkeys(each.heard.name for each in lines)
        words = [f"{who}: {text}" if self._group else text for who, text in _joined(lines)]
        return Asked(
            "\n".join(words),
            "" if self._group else " and ".join(askers),
            tuple(each.place for each in lines),
            tuple(self.exchanges),
            self._begins,
        )

    def settle(self, place: int) -> None:
        """Lines up to here ask for nothing any more, answered or not."""
        self.settled = max(self.settled, place)

    def answered(self, asked: Asked, text: str, at: float, own_ids: Sequence[str] = ()) -> None:
        """The twin has said this; what came while it thought is still open."""
        last = asked.places[-1]
        self.settle(last)
        self.pending = deque((each for each in self.pending if each.place > last), maxlen=self.pending.maxlen)
        self.exchanges.append(Exchange(asked.question, asked.asker, text))
        self.last_at = at
        self._begins = False
        self.in_a_row += 1
        for each in own_ids:
            _keep(self.own_ids, each, IDS)

    def _begin_again(self, at: float) -> None:
        silence = (GROUP_SILENCE if self._group else SILENCE).total_seconds()
        if self.last_at is not None and at - self.last_at > silence:
            self.pending.clear()
            self.exchanges.clear()
            self._people.clear()
            self._partner = ""
            self._group = False
            self._begins = True


def _joined(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Consecutive lines of one person are one utterance, with its line breaks."""
    utterances: list[tuple[str, str]] = []
    for line in lines:
        if utterances and utterances[-1][0] == line.heard.name:
            utterances[-1] = (line.heard.name, f"{utterances[-1][1]}\n{line.heard.text}")
        else:
            utterances.append((line.heard.name, line.heard.text))
    return utterances


def _keep(known: OrderedDict[str, None], each: str, most: int) -> None:
    known[each] = None
    while len(known) > most:
        known.popitem(last=False)
