"""What identifies in texts that may be recalled and never repeated: codes, names, places by number, days.

A run of eight words does not catch a secret of two. So of every recall-only text this keeps what would tell it apart:
numbers of three figures and more, rare names, names of several words, words with a number for a label (``nail 9``) and
days; all but what also stands in texts that may be said. A word that the embedder's vocabulary holds whole is ordinary.

They are found however they are written: numbers in words or figures, days in any form, letters apart or backwards,
accents and look-alike letters, and inside Base64. Not found: a translation, a riddle, a cipher, one letter a sentence.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from core.retrieval.function_words import FUNCTION_WORDS
from core.twin.particulars import MONTHS, WORD, Number, dates_in, names_in, numbers_in
from core.twin.words import composed

LEAST_NUMBER = 100
"""Smaller numbers tell nothing by themselves."""
YEARS = range(1000, 2100)
"""Numbers that are withheld alone only where they belong to a day that is."""
SHORTEST = 5
"""Letters of a name that is also found inside a longer word, apart, or backwards."""
SHORTEST_FIGURES = 3
JOINED = 40
"""Words that may spell one secret together."""
SPELLED = 2
"""Letters of a word that may be part of a spelling."""
SHORTEST_BASE64 = 8
LOOKED_AT = 4096
"""Words of which it is remembered whether they are secrets."""
_LOOK_ALIKES = str.maketrans("аеорсухіјѕԁһкмтвн", "aeopcyxijsdhkmtbh")
"""Cyrillic letters that a reader takes for Latin ones."""
_JOINING = frozenset(("and", "of", "the"))
_NO_LABELS = frozenset((*MONTHS, "since"))
"""Words before a number that it does not label."""
_FILLERS = frozenset(("number", "no", "the", "of", "is", "was", "s", "nr"))
_PHRASE_GAP = re.compile(r"[\s\-_]+")
_WHOLE = re.compile(r"[^\W_]+(?:_+[^\W_]+)*")
"""A word with all that underscores join to it: what is named so is told by its parts and whole."""

IsOrdinary = Callable[[str], bool]
Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Told:
    """What texts name: of private ones what could be a secret, of those that may be said what is none."""

    words: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """Words with a capital, those that open a sentence among them."""
    lower: set[str] = field(default_factory=set)
    """Words without one; of what underscores join only the whole: a handle has no capitals to write a name with."""
    phrases: set[tuple[str, ...]] = field(default_factory=set)
    """Names of several words."""
    labels: set[Pair] = field(default_factory=set)
    """A word and the number that follows it."""
    days: set[tuple[int, int, int]] = field(default_factory=set)
    """Day, month, year; 0 for what is not told."""


def told_in(texts: Iterable[str]) -> Told:
    """Read what texts name."""
    told = Told()
    for text in texts:
        words = folded(text)
        whole = _WHOLE.findall(text)
        written = [*WORD.findall(text), *whole]
        told.words.update(_fold(word) for word in written)
        told.names.update(_fold(word) for word in written if word[0].isupper())
        told.lower.update(_fold(word) for word in whole if word[0].islower())
        told.phrases.update(_phrases(text))
        for number in numbers_in(words):
            told.numbers.add(number.value)
            if number.first:
                told.labels.add(frozenset((words[number.first - 1], str(number.value))))
        joined = [_fold(word) for word in whole if "_" in word]
        told.numbers.update(number.value for word in joined for number in numbers_in([word]))
        told.days.update((each.day, each.month, each.year) for each in dates_in(words))
    return told


class Secrets:
    """What is never shown of private texts, beside their long runs."""

    def __init__(self, private: Iterable[str], allowed: Iterable[str], is_ordinary: IsOrdinary) -> None:
        """``is_ordinary`` says of a caseless word whether it is a word of everyday language."""
        private = [composed(text) for text in private]
        said, hidden = told_in(composed(text) for text in allowed), told_in(private)
        known_days = {part for day in said.days for part in _parts_of(day)}
        self.days = {part for day in hidden.days for part in _parts_of(day) if part not in known_days}
        dated = {year for _, _, year in self.days if year} - said.numbers
        numbers = {
            number for number in hidden.numbers - said.numbers if number >= LEAST_NUMBER and number not in YEARS
        } | {year for year in dated if year in YEARS}
        self.codes = {str(number) for number in numbers} | {
            word for word in hidden.words - said.words if re.search(r"[0-9]", word) and re.search(r"[a-z]", word)
            and not re.fullmatch(r"[0-9]+(?:st|nd|rd|th|s|am|pm|p|kg|km|m)", word)
        }  # fmt: skip
        self.names = {
            name for name in hidden.names - said.words - hidden.lower
            if len(name) > 2 and not re.search(r"[0-9]", name) and not is_ordinary(name)
        }  # fmt: skip
        everyday = said.lower | hidden.lower
        self.phrases = {
            phrase for phrase in hidden.phrases - said.phrases if phrase[0] not in everyday and not _said(phrase, said)
        }
        self.labels = {pair for text in private for pair in _label_forms(text)} - said.labels
        spelled = {each for each in self.names if len(each) >= SHORTEST}
        spelled |= {each for each in self.codes if len(each) >= SHORTEST_FIGURES}
        spelled |= {"".join(word for word in phrase) for phrase in self.phrases}
        self._spelled = spelled | {each[::-1] for each in spelled}
        self._longest = max(map(len, self._spelled), default=0)
        # However many secrets there are, a word costs as much: each is looked up, none is gone through.
        self._lengths = sorted({len(each) for each in self._spelled if len(each) >= SHORTEST})
        self._beginning: dict[str, list[tuple[str, ...]]] = {}
        for phrase in self.phrases:
            self._beginning.setdefault(phrase[0], []).append(phrase)
        self._is_secret = lru_cache(LOOKED_AT)(self._tells_one)

    def __bool__(self) -> bool:
        return bool(self._spelled or self.names or self.codes or self.labels or self.days)

    @property
    def reach(self) -> int:
        """Words that what is withheld may be long, spellings apart."""
        return 8 + max((len(each) for each in self.phrases), default=0)

    def marked(self, raw: Sequence[str], joined: Container[int] = ()) -> list[bool]:
        """For each word of a text, whether it belongs to what is withheld; underscores join those at ``joined`` to the
        one before."""
        words = [_fold(word) for word in raw]
        found = [self._is_secret(word) for word in raw]
        self._mark_spelled(words, found)
        self._mark_joined(words, joined, found)
        for place, word in enumerate(words):
            for phrase in self._beginning.get(word, ()):
                stop = place + len(phrase)
                if tuple(words[place:stop]) == phrase:
                    found[place:stop] = [True] * len(phrase)
        # "grade 2, 385 pounds" may be read as 2,385: its parts count too.
        alone = [Number(int(word), at, at + 1) for at, word in enumerate(words) if re.fullmatch(r"[0-9]{1,15}", word)]
        for number in [*numbers_in(words), *alone]:
            if str(number.value) in self.codes:
                found[number.first : number.stop] = [True] * (number.stop - number.first)
            self._mark_label(words, number.first, number.stop, number.value, found)
        for day in dates_in(words):
            if any(part in self.days for part in _parts_of((day.day, day.month, day.year))):
                found[day.first : day.stop] = [True] * (day.stop - day.first)
        return found

    def open_from(self, raw: Sequence[str], certain: int) -> int:
        """How many words are decided, where ``certain`` would be without spellings: none in the midst of one."""
        least = max(0, certain - JOINED)
        while certain > least and _may_spell(_fold(raw[certain - 1])):
            certain -= 1
        return certain

    def _tells_one(self, raw: str) -> bool:
        """Whether a word by itself is a secret, holds one, or is one in Base64."""
        word = _fold(raw)
        return word in self.names or word in self.codes or self._is_within(word) or self._is_encoded(raw)

    def _is_within(self, word: str) -> bool:
        return any(
            word[start : start + length] in self._spelled
            for length in self._lengths
            for start in range(len(word) - length + 1)
        )

    def _mark_spelled(self, words: Sequence[str], found: list[bool]) -> None:
        """Secrets that several whole words spell together: ``K-i-t-t-i``, ``7 3 0 4``, ``seven three oh four``; a word
        for a number stands for its figures or, ``sunny two 9x``, for itself."""
        read, written = _pieces(words), [(word, at, at + 1) for at, word in enumerate(words)]
        for pieces in (read, written) if read != written else (written,):
            for start, (_, first, _) in enumerate(pieces):
                joined = ""
                for piece, _, stop in pieces[start : start + JOINED]:
                    joined += piece
                    if len(joined) > self._longest:
                        break
                    if joined in self._spelled:
                        found[first:stop] = [True] * (stop - first)

    def _mark_joined(self, words: Sequence[str], joined: Container[int], found: list[bool]) -> None:
        """Secrets in what underscores make one word, as in a word by itself: ``X_i_m_o``, ``my_kitti_wakes``."""
        first = 0
        while first < len(words):
            stop = first + 1
            while stop in joined:
                stop += 1
            if stop > first + 1:
                for low, high in self._secrets_within(words[first:stop]):
                    found[first + low : first + high] = [True] * (high - low)
            first = stop

    def _secrets_within(self, parts: Sequence[str]) -> Iterable[tuple[int, int]]:
        """The first and the end of the parts of one word that make a secret: short ones only with whole parts."""
        letters = "".join(parts)
        part_of = [place for place, part in enumerate(parts) for _ in part]
        for length in self._lengths:
            for start in range(len(letters) - length + 1):
                if letters[start : start + length] in self._spelled:
                    yield part_of[start], part_of[start + length - 1] + 1
        for first in range(len(parts)):
            for stop in range(first + 2, min(first + SHORTEST, len(parts) + 1)):
                some = "".join(parts[first:stop])
                if some in self.names or some in self.codes:
                    yield first, stop

    def _mark_label(self, words: Sequence[str], first: int, stop: int, value: int, found: list[bool]) -> None:
        before, after = first - 1, stop
        while before >= 0 and words[before] in _FILLERS:
            before -= 1
        while after < len(words) and words[after] in _FILLERS:
            after += 1
        for place, low, high in ((before, before, stop), (after, first, after + 1)):
            if 0 <= place < len(words) and frozenset((words[place], str(value))) in self.labels:
                found[low:high] = [True] * (high - low)

    def _is_encoded(self, word: str) -> bool:
        if len(word) < SHORTEST_BASE64 or not re.fullmatch(r"[A-Za-z0-9]+", word):
            return False
        try:
            text = base64.b64decode(word[: len(word) // 4 * 4], validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return any(self.marked(WORD.findall(text))) if text.isprintable() else False


def folded(text: str) -> list[str]:
    """A text's words, caseless, without accents, look-alike letters as the Latin ones they look like."""
    return [_fold(word) for word in WORD.findall(text)]


@lru_cache(maxsize=65_536)
def _fold(word: str) -> str:
    parted = unicodedata.normalize("NFKD", word.casefold().translate(_LOOK_ALIKES))
    return "".join(each for each in parted if each != "_" and unicodedata.category(each)[0] != "M")


def _pieces(words: Sequence[str]) -> list[tuple[str, int, int]]:
    """Words as they spell something, with their first and end: numbers in figures, ``oh`` as 0."""
    numbers = {each.first: each for each in numbers_in(words)}
    pieces = []
    at = 0
    while at < len(words):
        number = numbers.get(at)
        stop = number.stop if number else at + 1
        # Figures by themselves keep the zeros before them.
        is_read = number is not None and not (stop == at + 1 and words[at].isdigit())
        pieces.append((str(number.value) if number and is_read else "0" if words[at] == "oh" else words[at], at, stop))
        at = stop
    return pieces


def _may_spell(word: str) -> bool:
    return len(word) <= SPELLED or bool(numbers_in([word]))


def _phrases(text: str) -> set[tuple[str, ...]]:
    """Names of two words and more, ``Quillan and Frost`` among them."""
    names = names_in(text)
    found = list(WORD.finditer(text))
    phrases = set()
    at = 0
    while at < len(found):
        stop = last = at
        while stop < len(found) and (
            stop == at or _PHRASE_GAP.fullmatch(text, found[stop - 1].end(), found[stop].start())
        ):
            word = found[stop][0]
            if word[0].isupper() and word.casefold() in names:
                last = stop
            elif stop == at or word not in _JOINING:
                break
            stop += 1
        if last > at:
            phrases.add(tuple(_fold(match[0]) for match in found[at : last + 1]))
        at = max(last, at) + 1
    return phrases


def _said(phrase: tuple[str, ...], said: Told) -> bool:
    """Whether a name is made of names that may be said: ``Pell Dacre`` where ``Pell`` and ``Dacre`` are."""
    return all(word in said.names or word in _JOINING for word in phrase)


def _label_forms(text: str) -> Iterable[Pair]:
    """Words with a number for a label: in figures, or with a capital, right after the word."""
    found = list(WORD.finditer(text))
    words = [_fold(match[0]) for match in found]
    for number in numbers_in(words):
        before = number.first - 1
        if before < 0 or words[before] in FUNCTION_WORDS | _NO_LABELS or numbers_in([words[before]]):
            continue
        if number.value in YEARS and number.stop == number.first + 1:
            continue
        written = found[number.first][0]
        gap = text[found[before].end() : found[number.first].start()]
        if gap in (" ", "-", "_") and (written[0].isdigit() or written[0].isupper()):
            yield frozenset((words[before], str(number.value)))


def _parts_of(day: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    """A day whole, without its year, and its month with the year."""
    number, month, year = day
    parts = {day}
    if number:
        parts.add((number, month, 0))
    if year:
        parts.add((0, month, year))
    return parts
