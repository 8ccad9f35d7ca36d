"""Who speaks: ``Q:``, ``**Name:**``, ``Name:`` and ``[SPEAKER_00]:`` at the start of a line.

A colon after a capitalized word is not yet a speaker ("Remember: tides wait for nobody"), so labels are judged over
the whole text: declared names, names that return, and a person's name of several words count; a lone word does not,
nor does "Plan B".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_CLOCK = r"[\[(](?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?[\])]"
_LABEL = re.compile(
    rf"^(?:[-–—]\s+)?(?:{_CLOCK}\s*)?"
    r"(?:(?P<bold>\*\*)\s*(?P<name>[^*:\n]{1,60}?)\s*(?::\s*\*\*|\*\*\s*:)"
    rf"|(?P<plain>\[[\w .'’-]{{1,40}}\]|[^\W_][\w.'’&/-]*(?: [\w.'’&/()-]+){{0,4}}?)\s*(?:{_CLOCK}\s*)?:)(?=\s|$)[ \t]*"
)
_PARTICLES = frozenset(
    "of de del da di du van von der den la le al bin the and y e".split()  # noqa: SIM905
)
_ROLES = frozenset(
    (  # noqa: SIM905
        "audience moderator host guest caller interviewer interviewee interpreter narrator announcer operator "
        "man woman reporter question answer all unknown voice student teacher"
    ).split()
)
_HEADS = frozenset(
    (  # noqa: SIM905
        "act chapter day figure item lesson note option part phase plan point problem rule scene section step "
        "table version volume week year"
    ).split()
)
"""What a label of several words that is no name begins with, such as "Plan B" and "Rule One"."""
_NUMBERS = frozenset("one two three four five six seven eight nine ten".split())  # noqa: SIM905
_QUESTION = frozenset({"q", "question"})
_ANSWER = frozenset({"a", "answer"})


@dataclass(frozen=True, slots=True)
class Label:
    """A label at the start of a line."""

    line: int
    """Counted from 0."""
    name: str
    rest: str
    """What the speaker says on the same line."""
    bold: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a text, judged."""

    speaking: tuple[Label, ...] = ()
    doubtful: tuple[Label, ...] = ()
    """Labels that are more likely part of what someone says."""

    @property
    def speakers(self) -> Counter[str]:
        return Counter(label.name for label in self.speaking)

    @property
    def is_question_and_answer(self) -> bool:
        names = {name.casefold() for name in self.speakers}
        return bool(names & _QUESTION) and bool(names & _ANSWER) and names <= _QUESTION | _ANSWER


def is_question_label(name: str) -> bool:
    """Whether a label stands for whoever asks."""
    return name.casefold() in _QUESTION


def find_labels(lines: Sequence[str], declared: Collection[str] = ()) -> Labels:
    """Find the labels of a text; ``declared`` names are speakers even if they speak once."""
    known = {name.casefold() for name in declared if name}
    found = [label for number, line in enumerate(lines) if (label := _label(number, line))]
    folded = Counter(label.name.casefold() for label in found)
    if any(folded[name] for name in _QUESTION) and any(folded[name] for name in _ANSWER):
        speaking = [label for label in found if label.name.casefold() in _QUESTION | _ANSWER]
    elif sum(label.bold for label in found) >= 2:
        speaking = [label for label in found if label.bold]
    else:
        speaking = [label for label in found if _speaks(label, folded, known)]
    kept = set(speaking)
    return Labels(tuple(speaking), tuple(label for label in found if label not in kept))


def _speaks(label: Label, counts: Counter[str], declared: Collection[str]) -> bool:
    folded = label.name.casefold()
    return folded in declared or folded in _ROLES or counts[folded] > 1 or _is_full_name(folded)


def _is_full_name(folded: str) -> bool:
    """Whether a label of several words could be what a person is called, and not the head of a list or a plan."""
    first, *others = folded.split()
    if not others or first in _ROLES or first == "speaker":
        return bool(others)
    last = others[-1]
    return first not in _HEADS and last not in _NUMBERS and not last.isdigit() and len(last) > 1


def _label(number: int, line: str) -> Label | None:
    # A label is short; looking no further keeps a line of a million words cheap.
    found = _LABEL.match(line[:160])
    if not found:
        return None
    name = " ".join((found["name"] or found["plain"]).strip("[]").split())
    if not name or not (found["bold"] or _is_name(name)):
        return None
    return Label(number, name, line[found.end() :], bool(found["bold"]))


def _is_name(name: str) -> bool:
    words = name.split()
    if not (words[0][0].isupper() or words[0][0].isdigit() or (words[0][0].isalpha() and not words[0][0].islower())):
        return False
    if name.replace(" ", "").isdigit():
        return False
    return all(not word[0].islower() or word in _PARTICLES for word in words)
