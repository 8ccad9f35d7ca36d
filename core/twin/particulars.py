"""What in a text is right or wrong by itself: numbers, dates, names and negations, however they are written.

``19``, ``nineteen`` and ``nineteenth`` are one number; ``14 June 1971``, ``June the fourteenth, 1971`` and
``1971-06-14`` one day. English; a text in another language gives only its digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.retrieval.function_words import FUNCTION_WORDS

WORD = re.compile(r"[^\W_]+")
_UNIT_WORDS = """
    zero/nought one/first two/second three/third four/fourth five/fifth six/sixth seven/seventh eight/eighth nine/ninth
    ten/tenth eleven/eleventh twelve/twelfth thirteen/thirteenth fourteen/fourteenth fifteen/fifteenth sixteen/sixteenth
    seventeen/seventeenth eighteen/eighteenth nineteen/nineteenth
    """
_TENS_WORDS = """
    twenty/twentieth thirty/thirtieth forty/fortieth fifty/fiftieth sixty/sixtieth seventy/seventieth eighty/eightieth
    ninety/ninetieth
    """
_MONTH_WORDS = """
    january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sept/sep october/oct
    november/nov december/dec
    """


def _valued(words: str, first: int, step: int) -> dict[str, int]:
    """Each word with its value; words between slashes share one."""
    return {word: first + step * place for place, same in enumerate(words.split()) for word in same.split("/")}


_UNITS = _valued(_UNIT_WORDS, 0, 1)
_TENS = _valued(_TENS_WORDS, 20, 10)
MONTHS = _valued(_MONTH_WORDS, 1, 1)
_SCALES = {"hundred": 100, "hundredth": 100, "thousand": 1000, "thousandth": 1000, "million": 10**6}
_DIGITS = re.compile(r"([0-9]{1,15})(?:st|nd|rd|th)?")
_BETWEEN = frozenset(("the", "of", "in"))
_VAGUE = frozenset(("one", "first", "second", "zero", "nought"))
"""Words that count something in few of the places where they stand."""
_NEGATIONS = frozenset(
    "no not never nobody nothing none nowhere neither nor cannot without hardly scarcely t".split()  # noqa: SIM905
)
"""``t`` is what is left of ``don't`` once it is cut into words."""
_TITLES = frozenset(("mr", "mrs", "miss", "ms", "dr", "sir"))
_CLAUSE = re.compile(
    r"[,;:.!?]|\b(?:but|and|so|because|though|although|than|before|after|until|if|when|where|that|which|who|unless)\b",
    re.IGNORECASE,
)
STEM = 5
"""Letters of a word that are compared, so that "wrote" may meet "writing" and "harbor" "harbors"."""
DENIED_WORDS = 3
"""Content words after a negation that it is taken to deny."""
_STARTS = re.compile(r"(?:^|[.!?…:;]['\"”’)\]]*\s+|[\"“‘(]\s*|\n\s*)$")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the words ``first`` to ``stop``."""

    value: int
    first: int
    stop: int
    vague: bool = False
    """Whether it is a lone word like ``one`` or ``first``, which seldom counts anything."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date in the words ``first`` to ``stop``; what is not told is 0, but never both day and year."""

    day: int
    month: int
    year: int
    first: int
    stop: int


def words_of(text: str) -> list[str]:
    """The words of a text, caseless."""
    return [word.casefold() for word in WORD.findall(text)]


def numbers_in(words: Sequence[str]) -> list[Number]:
    """Every number in caseless words, each as long as it can be read: ``four hundred and six`` is one."""
    found: list[Number] = []
    at = 0
    while at < len(words):
        number = _number_at(words, at)
        if number is None:
            at += 1
        else:
            found.append(number)
            at = number.stop
    return found


def dates_in(words: Sequence[str]) -> list[Day]:
    """Every date in caseless words that names a day or a month with its year; numbers alone where the year leads
    or the day is above 12."""
    numbers = {each.first: each for each in numbers_in(words)}
    ends = {each.stop: each for each in numbers.values()}
    found: list[Day] = []
    for at, word in enumerate(words):
        if word in MONTHS:
            day = _named_month(words, at, numbers, ends)
            if day is not None:
                found.append(day)
        elif word.isdigit():
            day = _in_figures(words, at)
            if day is not None and not (found and at < found[-1].stop):
                found.append(day)
    return found


def names_in(text: str) -> set[str]:
    """Caseless words that are written with a capital where none is due; a word that opens a sentence only where
    another such word follows it."""
    found = list(WORD.finditer(text))
    capital = [match[0][0].isupper() and match[0].casefold() not in FUNCTION_WORDS | _TITLES for match in found]
    titled = [place > 0 and found[place - 1][0].casefold() in _TITLES for place in range(len(found))]
    opens = [
        bool(_STARTS.search(text[max(0, match.start() - 8) : match.start()])) and not after_title
        for match, after_title in zip(found, titled, strict=True)
    ]
    names = set()
    for place, match in enumerate(found):
        if not capital[place]:
            continue
        follows = place + 1 < len(found) and text[match.end() : found[place + 1].start()] in (" ", "-")
        if not opens[place] or (follows and capital[place + 1] and not opens[place + 1]):
            names.add(match[0].casefold())
    return names


def content_words(words: Iterable[str]) -> list[str]:
    """The words that are neither function words, negations nor figures, in their order."""
    return [
        word
        for word in words
        if len(word) > 1 and word not in FUNCTION_WORDS and word not in _NEGATIONS and not word[0].isdigit()
    ]


def content_stems(words: Iterable[str]) -> list[str]:
    """Their first letters."""
    return [word[:STEM] for word in content_words(words)]


def polarity(text: str) -> tuple[set[str], set[str]]:
    """Stems of content words that are affirmed, and those that are denied: the first after a negation."""
    affirmed: set[str] = set()
    denied: set[str] = set()
    for clause in _CLAUSE.split(text):
        left = 0
        for word in words_of(clause):
            if word in _NEGATIONS:
                left = DENIED_WORDS
            else:
                for stem in content_stems([word]):
                    (denied if left else affirmed).add(stem)
                    left = max(0, left - 1)
    return affirmed, denied


def _number_at(words: Sequence[str], at: int) -> Number | None:
    digits = _DIGITS.fullmatch(words[at])
    if digits:
        value, stop = int(digits[1]), at + 1
        # A figure's thousands are parted by a comma, which is no part of a word: 7,304.
        while stop < len(words) and len(digits[1]) <= 3 and value and re.fullmatch(r"[0-9]{3}", words[stop]):
            value, stop = value * 1000 + int(words[stop]), stop + 1
        if stop < len(words) and words[stop] in ("thousand", "million"):
            value, stop = value * _SCALES[words[stop]], stop + 1
        return Number(value, at, stop)
    total = group = 0
    stop = at
    last = 0
    while stop < len(words):
        word = words[stop]
        if word in _UNITS and (last == 0 or last >= 100 or (last == 10 and 0 < _UNITS[word] < 10)):
            group, last = group + _UNITS[word], 1
        elif word in _TENS and (last == 0 or last >= 100):
            group, last = group + _TENS[word], 10
        elif word in ("hundred", "hundredth") and last in (1, 10):
            group, last = group * 100, 100
        elif word in _SCALES and word not in ("hundred", "hundredth") and last:
            total, group, last = total + group * _SCALES[word], 0, 1000
        elif word == "and" and last >= 100 and stop + 1 < len(words) and words[stop + 1] in {**_UNITS, **_TENS}:
            pass
        elif word == "a" and stop == at and stop + 1 < len(words) and words[stop + 1] in _SCALES:
            group, last = 1, 1
        else:
            break
        stop += 1
    if stop == at:
        return None
    return Number(total + group, at, stop, stop == at + 1 and words[at] in _VAGUE)


def _named_month(words: Sequence[str], at: int, numbers: dict[int, Number], ends: dict[int, Number]) -> Day | None:
    month = MONTHS[words[at]]
    first, stop = at, at + 1
    day = year = 0
    before = at
    while before > 0 and at - before < 2 and words[before - 1] in _BETWEEN:
        before -= 1
    for place in (before, at):
        if place in ends and 1 <= ends[place].value <= 31:
            day, first = ends[place].value, ends[place].first
            break
    after = stop
    while after < len(words) and after - stop < 2 and words[after] in _BETWEEN:
        after += 1
    if not day and after in numbers and 1 <= numbers[after].value <= 31 and numbers[after].stop - after <= 2:
        day, stop = numbers[after].value, numbers[after].stop
        after = stop
        while after < len(words) and after - stop < 1 and words[after] in _BETWEEN:
            after += 1
    year, end = _year_at(after, numbers)
    if year:
        stop = end
    return Day(day, month, year, first, stop) if day or year else None


def _year_at(at: int, numbers: dict[int, Number]) -> tuple[int, int]:
    if at not in numbers:
        return 0, at
    number = numbers[at]
    if 1000 <= number.value <= 2999:
        return number.value, number.stop
    # "nineteen seventy-one" is two numbers.
    if 10 <= number.value <= 29 and number.stop in numbers and numbers[number.stop].value <= 99:
        rest = numbers[number.stop]
        return number.value * 100 + rest.value, rest.stop
    return 0, at


def _in_figures(words: Sequence[str], at: int) -> Day | None:
    if at + 2 >= len(words) or not all(word.isdigit() and len(word) <= 4 for word in words[at : at + 3]):
        return None
    one, two, three = (int(word) for word in words[at : at + 3])
    if len(words[at]) == 4 and 1 <= two <= 12 and 1 <= three <= 31:
        return Day(three, two, one, at, at + 3)
    year = three if len(words[at + 2]) == 4 else 1900 + three if three > 30 else 2000 + three
    if len(words[at + 2]) not in (2, 4):
        return None
    if 1 <= two <= 12 and 1 <= one <= 31:
        return Day(one, two, year, at, at + 3)
    if 1 <= one <= 12 and 1 <= two <= 31:
        return Day(two, one, year, at, at + 3)
    return None
