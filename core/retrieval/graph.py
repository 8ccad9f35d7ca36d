"""The second hop: from the best passages to those that share a rare name with them, or stand beside them.

What a passage names is read once, when it is cut, and stored: its document's tags and title, the link of its thread,
whoever asked, wiki links, capitalized names of two words or more, single names of known speakers, and titles of other
documents, which is what a wiki link leaves in a text. One folded name is one name, wherever it comes from: the tag
``enoch strand`` leads to whoever writes of Enoch Strand. A name counts for less the more passages have it, and for
nothing once many have it; passages that stand next to each other are neighbors without a name.

As of a date, both what is reached and how rare a name is are of the passages that can be seen on that date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from core.retrieval.function_words import FUNCTION_WORDS
from core.store.database import Database
from core.store.mentions import passages_beside, passages_sharing, passages_with_words
from core.store.sight import Sight

MENTIONS = "mentions-1"
"""Named anew whenever the same passage would name other things: every passage is then read again."""
MOST_PASSAGES = 8
"""A name that more passages in sight have says too little of any two of them: about as many as a document has."""
BESIDE = 0.5
"""What standing next to each other counts, beside 1 for a name that only the two passages have."""
LONGEST_NAME = 80
MOST_NAME_WORDS = 5

_WORD = re.compile(r"\w[\w'’\-]*")
_PARTICLES = frozenset("of the de da di du del della la le van von der den bin ibn al".split())  # noqa: SIM905
_WIKI_LINK = re.compile(r"\[\[([^\[\]\n|#]{1,200})(?:[#|][^\[\]\n]*)?\]\]")
_SENTENCE_END = re.compile(r"[.!?…:;\n\"“”(]")


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a passage's document or exchange beside its text."""

    names: tuple[str, ...] = ()
    """Tags, title, links of the thread, who asks: all that the whole of it goes by."""


@dataclass(frozen=True, slots=True)
class Known:
    """What names are looked for by, in any text."""

    speakers: frozenset[str] = frozenset()
    """Folded names of whoever speaks in the corpus, but the target."""
    target: frozenset[str] = frozenset()
    """Folded names of the target, which every passage could have."""
    titles: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """First word of a title → the words of the titles that begin with it; of two words and more."""


def known_names(speakers: Iterable[str], target: Iterable[str], titles: Iterable[str]) -> Known:
    """What to look for, from the names as they are written."""
    own = frozenset(filter(None, map(folded, target)))
    by_first: dict[str, set[tuple[str, ...]]] = {}
    for title in titles:
        words = title_words(title)
        if words:
            by_first.setdefault(words[0], set()).add(words)
    return Known(
        frozenset(filter(None, map(folded, speakers))) - own,
        own,
        {first: tuple(sorted(some)) for first, some in by_first.items()},
    )


def title_words(title: str) -> tuple[str, ...]:
    """The folded words of a title that is worth looking for in texts: of two and more that say something, else none."""
    words = tuple(_words(title))
    telling = [word for word in words if word not in FUNCTION_WORDS]
    return words if len(telling) >= 2 else ()


def names_in(text: str, around: Around, known: Known) -> frozenset[str]:
    """The folded names that one passage goes by."""
    found = {folded(name) for name in around.names}
    found |= {folded(link[1]) for link in _WIKI_LINK.finditer(text)}
    found |= _capitalized(text)
    words = _words(text)
    for place, word in enumerate(words):
        if word in known.speakers:
            found.add(word)
        for title in known.titles.get(word, ()):
            if tuple(words[place : place + len(title)]) == title:
                found.add(" ".join(title))
    return frozenset(name for name in found if 1 < len(name) <= LONGEST_NAME) - known.target


def _capitalized(text: str) -> set[str]:
    """Names of two capitalized words and more; a capital that only begins a sentence may or may not be part of one."""
    found: set[str] = set()
    run: list[str] = []
    begins = True
    stop = 0

    def close() -> None:
        while run and run[-1].casefold() in _PARTICLES:
            run.pop()
        found.update(_readings(run, begins))
        run.clear()

    for word in _WORD.finditer(text):
        between = text[stop : word.start()]
        parted = _SENTENCE_END.search(between) is not None or stop == 0
        if run and between != " ":
            close()
        stop = word.end()
        plain = re.sub(r"['’]s$", "", word[0])
        if plain[:1].isupper():
            if not run:
                begins = parted
            run.append(plain)
            if plain != word[0]:
                close()
        elif run and plain in _PARTICLES:
            run.append(plain)
        elif run:
            close()
    close()
    return found


def _readings(run: list[str], begins: bool) -> Iterable[str]:
    words = [word.casefold() for word in run]
    while words and words[0] in FUNCTION_WORDS | _PARTICLES:
        words = words[1:]
        begins = False
    if 2 <= len(words) <= MOST_NAME_WORDS:
        yield " ".join(words)
    if begins and 3 <= len(words) <= MOST_NAME_WORDS + 1:
        yield " ".join(words[1:])


def passages_with_title(db: Database, title: str) -> list[int]:
    """The passages whose words hold a document's title: those that were cut before the document was there."""
    words = title_words(title)
    if not words:
        return []
    return [
        chunk_id
        for chunk_id, text in passages_with_words(db, words)
        if f" {' '.join(words)} " in f" {' '.join(_words(text))} "
    ]


def second_hop(db: Database, first: Sequence[int], sight: Sight) -> list[tuple[int, float]]:
    """(chunk id, score) of what the passages ``first``, best first, lead to; best first, then by id.

    A way from the passage at rank r counts 1 / r, times 1 for what only the two share, and less the more share it.
    """
    scores: dict[int, float] = {}

    def reach(chunk_ids: Collection[int], own: int, weight: float) -> None:
        for chunk_id in chunk_ids:
            if chunk_id != own:
                scores[chunk_id] = scores.get(chunk_id, 0.0) + weight

    sharing = passages_sharing(db, first, sight, MOST_PASSAGES + 1)
    beside = passages_beside(db, first, sight)
    for rank, chunk_id in enumerate(first, 1):
        for _, others in sharing[chunk_id]:
            if 2 <= len(others) <= MOST_PASSAGES:
                reach(others, chunk_id, 1 / rank / math.log2(len(others)))
        reach(beside[chunk_id], chunk_id, BESIDE / rank)
    return sorted(((each, round(score, 9)) for each, score in scores.items()), key=lambda item: (-item[1], item[0]))


def folded(name: str) -> str:
    """A name as it is compared: its words, without case."""
    return " ".join(name.casefold().split()) if "://" in name else " ".join(_words(name))


def _words(text: str) -> list[str]:
    return [re.sub(r"['’]s$", "", word) for word in _WORD.findall(text.casefold())]
