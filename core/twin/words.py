"""A text's words as the guards compare them, each with its place in the text.

However a word is written, it is the same word: letters and their accents as one character or as two, wide and
ligatured letters, and invisible characters within it do not count. Of scripts that are written without spaces, each
character is a word, with the marks that belong to it. An underscore is none of its letters: Markdown slants words with
it. Whatever follows a word, its beginning does not change: so a text that comes in pieces has the words of the whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

_BLOCKS = (
    "\u0e01-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d\U0001b000-\U0001b16f"  # Hiragana, Katakana
)
_RADICALS = "\u2e80-\u2fd5"
"""Symbols to Unicode, characters to a reader: what is copied out of a printed page may hold them."""
_VOWELS = "\u0e30\u0e32\u0e33\u0eb0\u0eb2\u0eb3\uff9e\uff9f"
"""Letters that belong to the one before them as marks do: one of them may be written as a mark and another."""
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
"""Characters without a look of their own, beside those of the category Cf: soft hyphens, zero-width ones."""
_LAST_MARK = 0x1F000
"""No mark comes after this, but for invisible ones."""
_PLAIN = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as it is compared but for its case, and where it stands."""

    text: str
    start: int
    stop: int
    """After the marks and invisible characters that follow its letters."""


def words_of(text: str) -> list[Word]:
    """The words of a text, in their order."""
    return [Word(_plain(match[0]), match.start(), match.end()) for match in _pattern_for(text).finditer(text)]


def joined_places(text: str, words: Sequence[Word]) -> set[int]:
    """Which of a text's words only underscores part from the one before: ``b`` of ``a_b``."""
    places = set()
    for place in range(1, len(words)) if "_" in text else ():
        gap = text[words[place - 1].stop : words[place].start]
        if "_" in gap and not composed(gap).strip("_"):
            places.add(place)
    return places


def compared_words(text: str) -> list[str]:
    """The same without their places, each as ``caseless`` has it."""
    return [caseless(word) for word in _pattern_for(text).findall(text)]


def caseless(word: str) -> str:
    """A word, whoever cut it, as it is compared."""
    if word.isascii():
        return word.casefold()
    return unicodedata.normalize("NFKC", _plain(word).casefold())


def is_character(word: str) -> bool:
    """Whether it is one character of a script that is written without spaces."""
    return not word.isascii() and _patterns().character.match(word) is not None


def composed(text: str) -> str:
    """A whole text with letters and accents as one character, and without what is invisible or a mark by itself."""
    if text.isascii():
        return text
    return _patterns().bare.sub("", unicodedata.normalize("NFC", text))


def _pattern_for(text: str) -> re.Pattern[str]:
    return _PLAIN if text.isascii() else _patterns().word


def _plain(word: str) -> str:
    return word if word.isascii() else unicodedata.normalize("NFKC", _patterns().invisible.sub("", word))


class _Patterns(NamedTuple):
    """What is looked for in a text that is not plain ASCII."""

    word: re.Pattern[str]
    character: re.Pattern[str]
    """The beginning of a word that is one character."""
    invisible: re.Pattern[str]
    bare: re.Pattern[str]
    """The same and marks."""


@cache
def _patterns() -> _Patterns:
    marks, hidden = [], []
    for code in range(0x80, _LAST_MARK):
        category = unicodedata.category(chr(code))
        if category[0] == "M":
            marks.append(code)
        elif category == "Cf":
            hidden.append(code)
    invisible = f"{_ranges(hidden)}\U000e0001-\U000e007f{_INVISIBLE}"
    joins = f"{_ranges(marks)}{_VOWELS}{invisible}"
    character = rf"(?:[{_RADICALS}]|(?!\d)(?=\w)[{_BLOCKS}])"
    word = rf"(?:(?:[0-9A-Za-z]+|\d|(?![_{_BLOCKS}{invisible}])\w)[{joins}]*)+|{character}[{joins}]*"
    bare = f"{_ranges(marks)}{invisible}"
    return _Patterns(re.compile(word), re.compile(character), re.compile(f"[{invisible}]+"), re.compile(f"[{bare}]+"))


def _ranges(codes: Iterable[int]) -> str:
    """Ascending code points as the inside of a character class."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)
