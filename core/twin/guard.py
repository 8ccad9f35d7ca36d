"""What must not be shown, taken out of an answer while it streams: private words, secrets, what was never to be said.

Words are held back only as long as they could still be the beginning of such a run; all others are shown at once.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from core.twin.secrets import JOINED, Secrets
from core.twin.words import Word, caseless, compared_words, is_character, joined_places, words_of

WITHHELD = "[kept private]"
CHARACTERS = 2
"""Of a script that is written without spaces, as many as count for one word: most words of Chinese are two of them. So
where eight words in a row are too many, sixteen such characters are; eight of them are a common phrase."""
Run = tuple[str, ...]


class Withheld:
    """Runs of words that are never shown: any ``longest`` in a row of a private text, and every whole phrase.

    Words are those of ``core.twin.words``; where they are single characters, ``CHARACTERS`` of them count for one.
    """

    def __init__(
        self,
        texts: Iterable[str],
        longest: int,
        phrases: Iterable[str] = (),
        secrets: Secrets | None = None,
        sayable: Iterable[str] = (),
    ) -> None:
        """``texts`` may be known and not repeated; ``phrases`` are not to be said at all, however short they are;
        ``secrets`` are what identifies in such texts. Runs that stand in ``sayable`` texts too may be said."""
        runs = {run for text in texts for run in _runs(compared_words(text), longest)}
        for text in sayable if runs else ():
            runs.difference_update(_runs(compared_words(text), longest))
        runs |= {tuple(words) for phrase in phrases if (words := compared_words(phrase))}
        self._runs = runs
        self._lengths = sorted({len(run) for run in runs})
        self._secrets = secrets if secrets else None
        self.longest = max(self._lengths[-1] if self._lengths else 0, self._secrets.reach if self._secrets else 0)
        """Words of the longest run; 0 where nothing is withheld."""
        self.kept = 2 * (self.longest + (JOINED if self._secrets else 0))
        """Words before the end of a text that may matter to what follows."""

    def decided(self, words: Sequence[str]) -> int:
        """How many words at the beginning of a text no word to come can make part of what is withheld."""
        certain = max(0, len(words) - self.longest)
        return self._secrets.open_from(words, certain) if self._secrets else certain

    def marked(self, written: Sequence[str], joined: Container[int] = ()) -> list[bool]:
        """For each word, whether it belongs to what is withheld; underscores join those at ``joined`` to the one
        before."""
        found = self._secrets.marked(written, joined) if self._secrets else [False] * len(written)
        words = [caseless(word) for word in written]
        for length in self._lengths:
            for start in range(len(words) - length + 1):
                if tuple(words[start : start + length]) in self._runs:
                    found[start : start + length] = [True] * length
        return found

    def redact(self, text: str) -> str:
        """A whole text with every such run replaced."""
        stream = Shown(self)
        return stream.feed(text) + stream.end()


class Shown:
    """One answer on its way to a reader: raw pieces in, what may be shown out."""

    def __init__(self, withheld: Withheld) -> None:
        self._withheld = withheld
        self._text = ""
        """Raw, from the first word that still matters on."""
        self._shown = 0
        """Characters of it that are shown, or stand for what was withheld."""
        self._open = False
        """Whether the last thing that was shown is the mark for words that were withheld."""

    def feed(self, piece: str) -> str:
        """The next piece of the answer. Returns what can be shown now."""
        self._text += piece
        if not self._withheld.longest:
            shown, self._text = self._text, ""
            return shown
        found = words_of(self._text)
        # The last word may go on in the next piece, and those before it may be the beginning of a run.
        certain = self._withheld.decided([word.text for word in found])
        stop = found[certain].start if certain < len(found) else self._text.__len__()
        return self._advance(found, stop)

    def end(self) -> str:
        """What was held back, once the answer is whole."""
        return self._advance(words_of(self._text), len(self._text)) if self._withheld.longest else ""

    @property
    def pending(self) -> str:
        """Raw text of which it is not certain yet whether it may be shown."""
        return self._text[self._shown :]

    def _advance(self, found: Sequence[Word], stop: int) -> str:
        marks = self._withheld.marked([word.text for word in found], joined_places(self._text, found))
        pieces: list[str] = []
        at = self._shown
        for word, private in zip(found, marks, strict=True):
            if word.start < self._shown or word.start >= stop:
                continue
            if private:
                if not self._open:
                    pieces += [self._text[at : word.start], WITHHELD]
                self._open = True
            else:
                pieces.append(self._text[at : word.stop])
                self._open = False
            at = word.stop
        if not self._open or stop == len(self._text):
            pieces.append(self._text[at:stop])
            at = max(at, stop)
        self._shown = at
        self._forget(found)
        return "".join(pieces)

    def _forget(self, found: Sequence[Word]) -> None:
        """Raw words that no run to come can reach any more need not be kept."""
        keep = len(found) - self._withheld.kept
        if keep > 0:
            cut = min(found[keep].start, self._shown)
            self._text, self._shown = self._text[cut:], self._shown - cut


def _runs(words: Sequence[str], length: int) -> Iterator[Run]:
    """From each word on, the shortest run that counts for so many words."""
    counts = [1 if is_character(word) else CHARACTERS for word in words]
    held = stop = 0
    for start, count in enumerate(counts):
        while held < length * CHARACTERS:
            if stop == len(words):
                return
            held += counts[stop]
            stop += 1
        yield tuple(words[start:stop])
        held -= count
