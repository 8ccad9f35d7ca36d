"""Who speaks: ``Q:``, ``**Name:**``, ``Name:`` and ``[SPEAKER_00]:`` at the start of a line.

A colon after a capitalized word is not yet a speaker ("Remember: tides wait for nobody"), so labels are judged over
the whole text: declared names, names that return, and names of several words count; a lone word does not.
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
    return folded in declared or folded in _ROLES or counts[folded] > 1 or " " in label.name


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
