"""WhatsApp's exported chats, whose lines differ by phone, language and year.

The order of day and month is nowhere written in the file: a year that comes first decides it for its own date, a value
over 12 for all, else the order in which the messages must have come, else the user is asked.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from core.corpus.ambiguity import Ambiguous
from core.corpus.identity import opening_words, uid_of
from core.corpus.records import Conversation, Issue, Match, Options, Probe, Record, SourceFile, Turn
from core.corpus.whatsapp_notices import MARKS, placeholders, read_body
from core.dates import DateSpan
from core.errors import ImportFailed

_Order = Literal["day", "month"]

_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})
_HEADER_CHARACTERS = 240
_HEADER = re.compile(
    r"^\[?(?P<a>\d{1,4})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{1,4})\.?[,.]?[ ]+(?:at[ ]+)?"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"(?:[ ]*(?P<half>[AaPp])\.?[ ]?[Mm]\.?)?(?:\][ ]?|[ ]+[-–—][ ]|[ ]*-[ ]|:[ ])"
)
_AUTHOR = re.compile(r"^(?P<author>[^:\n]{1,100}?):(?:[ ]|(?=\S)(?!//)|$)")
_SYSTEM = re.compile(
    r"end-to-end encrypted|created (?:this )?group|created group|added you|\badded\b|\bremoved\b|\bleft$|joined using"
    r"|changed (?:the|this|their|to|your)\b|security code|pinned a message|turned (?:on|off) disappearing"
    r"|You were added|You're now an admin|missed (?:voice|video) call",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Message:
    """One message while its lines are gathered."""

    line: int
    numbers: tuple[int, int, int]
    year_first: bool
    """Then the month comes next and the day last, whatever the other dates do."""
    clock: tuple[int, int, int]
    rest: str
    more: list[str] = field(default_factory=list)


class WhatsApp:
    """Reads one exported chat, as text or as the zip that WhatsApp makes."""

    name = "whatsapp"
    library = "own"
    sniff_rule = "lines that begin with date, time and author; a zip with _chat.txt"

    def sniff(self, probe: Probe) -> Match | None:
        """Claim a text whose lines are dated and timed, or a zip that holds such a chat."""
        if probe.members:
            chat = None if probe.is_folder else _chat_member(probe.members)
            return Match(0.95, f"a zip with {chat}") if chat else None
        lines = [line for line in probe.text.split("\n") if line.strip()][:400]
        headed = [rest for line in lines if (rest := _rest(line)) is not None]
        authored = sum(bool(_AUTHOR.match(rest)) for rest in headed)
        if not authored or _rest(lines[0]) is None:
            return None
        if authored >= 2:
            return Match(0.95, f"{len(headed)} of the first {len(lines)} lines begin with a date, a time and an author")
        return Match(0.82, "a line with a date, a time and an author")

    def parse(self, source: SourceFile, options: Options) -> Iterator[Record]:
        """Yield the chat as one private conversation, and an issue for each line before the first message.

        Raises ``Ambiguous`` when nothing tells whether the day or the month comes first, ``ImportFailed`` when the
        file holds no messages.
        """
        member = _chat_member(source.members())
        text = source.member_text(member) if member else source.read_text()
        messages, strays = _messages(text)
        for number in strays:
            yield Issue(f"line {number}", "before the first message, skipped")
        if not messages:
            raise ImportFailed(f"{source.name}: holds no WhatsApp messages", "Export the chat again, without media.")
        order = _order([message.numbers for message in messages if not message.year_first], source.name, options)
        authored = ((message, author) for message in messages if (author := _author(message)))
        left_out = placeholders(_body(message, author).strip() for message, author in authored)
        turns: list[Turn] = []
        for message in messages:
            time = _time(message, order)
            if time is None:
                yield Issue(f"line {message.line}", "no such day in this order of day and month, skipped")
            else:
                turns.append(_turn(message, time, left_out))
        if not turns:
            raise ImportFailed(
                f"{source.name}: no message has a possible date", "Say the other order of day and month."
            )
        first = turns[0]
        yield Conversation(
            # An export of a year later begins with the same message, so it replaces this one.
            uid=uid_of(self.name, str(first.time), first.speaker, opening_words(first.text)),
            title=PurePosixPath(source.name).stem,
            date=DateSpan.of_day(min(turn.time for turn in turns if turn.time)),
            turns=tuple(turns),
            visibility="private",
            chat=True,
        )


def _chat_member(names: Sequence[str]) -> str:
    chats = [name for name in names if name.endswith("_chat.txt") or name.startswith("WhatsApp Chat")]
    return next((name for name in chats if name.endswith(".txt")), "")


def _header(line: str) -> tuple[re.Match[str], str] | None:
    """The header of a message and the rest of its line, when the line has one."""
    bare = line.lstrip(MARKS)
    # The header's own spaces vary; those of the message are left as they were typed.
    found = _HEADER.match(bare[:_HEADER_CHARACTERS].translate(_SPACES))
    if not found or _clock(found) is None or not _possible(found):
        return None
    return found, bare[found.end() :]


def _rest(line: str) -> str | None:
    header = _header(line)
    return header[1] if header else None


def _messages(text: str) -> tuple[list[_Message], list[int]]:
    messages: list[_Message] = []
    strays: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        header = _header(line)
        clock = _clock(header[0]) if header else None
        if header and clock:
            messages.append(_Message(number, _numbers(header[0]), _year_first(header[0]), clock, header[1]))
        elif messages:
            messages[-1].more.append(line)
        elif line.strip():
            strays.append(number)
    return messages, strays


def _numbers(header: re.Match[str]) -> tuple[int, int, int]:
    """The three numbers of a date with the year first, as (year, number, number)."""
    a, b, c = header["a"], header["b"], header["c"]
    if _year_first(header):
        return int(a), int(b), int(c)
    year = int(c)
    return year + 2000 if len(c) <= 2 else year, int(a), int(b)


def _year_first(header: re.Match[str]) -> bool:
    return len(header["a"]) >= 3


def _possible(header: re.Match[str]) -> bool:
    numbers = _numbers(header)
    return _day(numbers, "month") is not None or (not _year_first(header) and _day(numbers, "day") is not None)


def _day(numbers: tuple[int, int, int], order: _Order) -> datetime | None:
    year, first, second = numbers
    day, month = (first, second) if order == "day" else (second, first)
    try:
        return datetime(year, month, day)
    except ValueError:
        return None


def _clock(header: re.Match[str]) -> tuple[int, int, int] | None:
    hour, minute, second = int(header["hour"]), int(header["minute"]), int(header["second"] or 0)
    half = (header["half"] or "").lower()
    if half:
        if hour > 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def _order(dates: Sequence[tuple[int, int, int]], name: str, options: Options) -> _Order:
    if options.day_first is not None:
        return "day" if options.day_first else "month"
    day_first = any(first > 12 for _, first, _ in dates)
    month_first = any(second > 12 for _, _, second in dates)
    if day_first != month_first:
        return "day" if day_first else "month"
    if not day_first:
        if all(first == second for _, first, second in dates):
            return "day"
        rising = [order for order in ("day", "month") if _never_falls(dates, order)]
        if len(rising) == 1:
            return "day" if rising == ["day"] else "month"
    year, first, second = next(numbers for numbers in dates if numbers[1] != numbers[2])
    raise Ambiguous(
        f"{name}: day and month cannot be told apart ({first}/{second}/{year})",
        "Say which comes first: --day-first or --month-first.",
        dataclasses.replace(options, day_first=True),
    )


def _never_falls(dates: Sequence[tuple[int, int, int]], order: str) -> bool:
    days = [_day(numbers, "day" if order == "day" else "month") for numbers in dates]
    known = [day for day in days if day]
    return len(known) == len(days) and all(one <= next_ for one, next_ in itertools.pairwise(known))


def _time(message: _Message, order: _Order) -> datetime | None:
    day = _day(message.numbers, "month" if message.year_first else order)
    hour, minute, second = message.clock
    return day.replace(hour=hour, minute=minute, second=second) if day else None


def _author(message: _Message) -> re.Match[str] | None:
    found = _AUTHOR.match(message.rest.lstrip(MARKS))
    return None if found and _SYSTEM.search(found["author"]) else found


def _body(message: _Message, author: re.Match[str]) -> str:
    return "\n".join([author.string[author.end() :], *message.more])


def _turn(message: _Message, time: datetime, left_out: frozenset[str]) -> Turn:
    author = _author(message)
    if author is None:
        whole = "\n".join([message.rest.lstrip(MARKS), *message.more]).rstrip()
        return Turn("", whole, time, kind="system")
    said, kind = read_body(_body(message, author), left_out)
    return Turn(" ".join(author["author"].translate(_SPACES).split()), said, time, kind=kind)
