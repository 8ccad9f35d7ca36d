"""The plain-text form in which a persona asks for its own memories: one line, ``[recall: words]``.

Trained into it by samples (``[dataset] tools``), for engines that know no function calling: what comes back is shown as
a message, and the persona goes on. ``[journal: words]`` looks into the journal alone, ``[today]`` asks for the date;
``| after 2010`` and ``| before 2015`` narrow a recall.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

LONGEST = 120
"""Characters of a command; what goes on longer is none."""
MOST_WORDS = 6
"""Words of the command that a sample shows."""
_COMMAND = re.compile(
    r"\[(?:(?P<name>recall|journal):\s*(?P<words>[^\]|\n\s][^\]|\n]*?)\s*"
    r"(?:\|\s*after\s+(?P<after>[0-9-]{4,10})\s*)?(?:\|\s*before\s+(?P<before>[0-9-]{4,10})\s*)?|(?P<today>today))\]"
)
_STARTS = ("[recall:", "[journal:", "[today]")


@dataclass(frozen=True, slots=True)
class Command:
    """What a persona asked for. Dates are as it wrote them, or empty."""

    name: str
    """``recall``, ``journal`` or ``today``; any other name has a ``problem``."""
    text: str
    """As it was said, or would have been in plain text."""
    words: str = ""
    after: str = ""
    before: str = ""
    problem: str = ""
    """Why nothing can come back, in words that the persona may read; empty where something can."""


def command_for(question: str, function_words: Collection[str]) -> str:
    """The command that a sample shows for a question: its words that say something, in their order."""
    words = [word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", question) if word.casefold() not in function_words]
    chosen = list(dict.fromkeys(words))[-MOST_WORDS:]
    return f"[recall: {' '.join(chosen)}]" if chosen else ""


def read_command(text: str) -> Command | None:
    """The command that an answer begins with, or None."""
    found = _COMMAND.match(text.lstrip())
    if found is None or len(found[0]) > LONGEST:
        return None
    if found["today"]:
        return Command("today", found[0])
    return Command(found["name"], found[0], found["words"], found["after"] or "", found["before"] or "")


def is_command(said: str) -> bool:
    """Whether all that was said is a command, however long."""
    return _COMMAND.fullmatch(said.strip()) is not None


def may_become_command(text: str) -> bool:
    """Whether the beginning of an answer could still turn out to be a command."""
    begun = text.lstrip()
    if len(begun) > LONGEST or "\n" in begun or "]" in begun:
        return False
    return any(start.startswith(begun) or begun.startswith(start) for start in _STARTS)
