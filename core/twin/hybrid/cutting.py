"""From what a persona wrote without an end to whole turns: cut at a repetition, the partial last line dropped, parsed.

What it wrote is outside text: it may forge names, leave lines empty, or go on for whoever it likes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from core.corpus.exchanges import is_named
from core.prompts.log import Line, name_of

NGRAM = 8
"""Words of the run whose return ends a simulation (METHODS 5)."""
NAME_WORDS = 4
"""Of a speaker's name that was not heard before, at the most."""
NAME_LETTERS = 40
_WORD = re.compile(r"\w+")
_HEAD = re.compile(r"\s*([^:\n]+?)\s*:(?=\s|$)")
_WHOLE = re.compile(r".*[.!?…][\"'”’)\]]*(?=\s|$)", re.S)


def repeated_at(text: str, n: int = NGRAM) -> int | None:
    """Where the first run of ``n`` words begins that stood before, or None. Case and punctuation aside."""
    found = list(_WORD.finditer(text))
    words = [match[0].casefold() for match in found]
    seen: set[tuple[str, ...]] = set()
    for start in range(len(words) - n + 1):
        run = tuple(words[start : start + n])
        if run in seen:
            return found[start].start()
        seen.add(run)
    return None


def before_repetition(text: str) -> str:
    """The text up to its first repeated 8-gram."""
    at = repeated_at(text)
    return text if at is None else text[:at]


def whole_lines(text: str) -> str:
    """The text without a last line that has no end. Where it is the only line, its whole sentences stay: a turn as long
    as the simulation would else leave nothing.
    """
    if text.endswith("\n"):
        return text
    before, end, _ = text.rpartition("\n")
    if before.strip():
        return before + end
    match = _WHOLE.match(text)
    return match[0] if match else ""


def parsed(text: str, target: str, names: Collection[str] = (), known: Collection[str] = ()) -> list[Line]:
    """The lines of a log that is gone on with in the middle of the target's line.

    ``names`` are what else the target is called, ``known`` who else talks. A line that begins with nobody's name goes
    on with the turn before it; a turn without words is left out.
    """
    own = {_folded(each) for each in (target, *names)}
    others = {_folded(each): each for each in known}
    turns: list[tuple[str, list[str]]] = [(target, [])]
    for place, written in enumerate(re.split(r"[\r\n\u2028\u2029\x0b\x0c\x85]", text)):
        head = _speaker(written, own | others.keys()) if place else None
        if head is None:
            turns[-1][1].append(written)
            continue
        name, words = head
        mine = _folded(name) in own or is_named(name, (target, *names))
        turns.append((target if mine else others.get(_folded(name), name), [words]))
    lines = [Line(name, _cleaned(" ".join(words)), name == target) for name, words in turns]
    return [line for line in lines if line.text]


def first_turns(lines: Sequence[Line], turns: int) -> list[Line]:
    """The lines up to the target's turn of that number."""
    kept: list[Line] = []
    for line in lines:
        if turns <= 0:
            break
        kept.append(line)
        turns -= line.mine
    return kept


def cut(text: str, target: str, turns: int, names: Collection[str] = (), known: Collection[str] = ()) -> list[Line]:
    """All of it: what a simulation holds that can be used."""
    return first_turns(parsed(whole_lines(before_repetition(text)), target, names, known), turns)


def _speaker(line: str, known: Collection[str]) -> tuple[str, str] | None:
    """The name that begins a line, and what stands after it."""
    match = _HEAD.match(line)
    if match is None:
        return None
    name = _cleaned(match[1])
    words = name.split()
    likely = len(name) <= NAME_LETTERS and (
        len(words) == 1 or (len(words) <= NAME_WORDS and all(not word[0].islower() for word in words))
    )
    if not words or not (_folded(name) in known or likely):
        return None
    return name, line[match.end() :]


def _folded(name: str) -> str:
    return name_of(name).removesuffix(":").casefold()


def _cleaned(text: str) -> str:
    """On one line, without control characters and what is no character at all."""
    printable = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    return " ".join(printable.split())
