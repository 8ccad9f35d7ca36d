"""Words on their way in from a chat and out into it: nothing that acts, nothing longer than the chat takes.

Both directions are hostile. What strangers write may hold controls, and what they make the twin say may hold a line's
end, a command of the chat, or one for another bot.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from core.corpus.sentences import sentences_of

LONGEST_LINE = 1000
"""Characters of one line that are read; what a person types in a chat is shorter."""
LONGEST_NAME = 64
LONGEST_ANSWER = 4000
"""Characters of an answer that are looked at: more than any chat takes."""
ELLIPSIS = "…"
_FORMATS = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9a-fA-F]{6})?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")
"""Colors and faces of IRC clients (modern.ircdocs.horse/formatting)."""
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_COMMAND = re.compile(r"[\s/!\\]+")
_DOTS = re.compile(r"\.[./!\\]*")
_JOINS = "\u200d\ufe0e\ufe0f"
"""A zero-width joiner and the variation selectors: part of the character before them."""


def clean(text: str, longest: int = LONGEST_LINE) -> str:
    """The text on one line, without what acts on a terminal, a prompt or a protocol; joiners and emoji stay whole."""
    text = _FORMATS.sub("", text[: longest * 4])
    text = _HIDDEN.sub("", _BREAKS.sub(" ", text))
    return _cut(" ".join(_SURROGATES.sub("\ufffd", text).split()), longest)


def clean_name(name: str) -> str:
    """A speaker's name, that cannot look like the beginning of another line."""
    return clean(name.replace(":", " "), LONGEST_NAME)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message of a chat holds, and how many an answer may be."""

    characters: int
    bytes: int = 1 << 20
    """Of the text in UTF-8, without what the protocol puts around it."""
    lines: int = 1

    def hold(self, text: str) -> bool:
        return len(text) <= self.characters and len(text.encode()) <= self.bytes

    def less(self, text: str) -> Limits:
        """What is left beside some words."""
        return Limits(self.characters - len(text), self.bytes - len(text.encode()), self.lines)


def fit(text: str, limits: Limits) -> tuple[str, ...]:
    """An answer as messages that the chat takes: whole sentences as far as they go, else whole words and an ellipsis.

    Never more than ``limits.lines``, never cut inside a character. Empty where there is nothing to say, or no room.
    """
    said: list[str] = []
    line = ""
    for sentence in (each.text for each in sentences_of(clean(text, LONGEST_ANSWER))):
        longer = harmless(f"{line} {sentence}" if line else sentence)
        if limits.hold(longer):
            line = longer
            continue
        if line:
            said.append(line)
            line = ""
        if len(said) >= limits.lines:
            break
        sentence = harmless(sentence)
        if limits.hold(sentence):
            line = sentence
            continue
        # Longer than a whole message: it is told in words, as many as there is room for, and ends the answer.
        if not said or limits.lines - len(said) > 1:
            said += _told_in_words(sentence, limits, limits.lines - len(said))
        break
    if line and len(said) < limits.lines:
        said.append(line)
    return tuple(said)


def harmless(line: str) -> str:
    """A line that no chat and no other bot takes for a command: without the marks that commands begin with."""
    line = line.strip()
    while True:
        dots = _DOTS.match(line)
        command = _COMMAND.match(line)
        if command:
            line = line[command.end() :]
        elif dots:
            # Three dots are a pause; Twitch reads one like a slash.
            line = (ELLIPSIS + line[dots.end() :]) if dots[0].startswith("...") else line[dots.end() :].lstrip()
        else:
            return line


def _told_in_words(text: str, limits: Limits, lines: int) -> list[str]:
    said: list[str] = []
    while text and len(said) < lines:
        if limits.hold(text):
            said.append(text)
            break
        last = len(said) == lines - 1
        room = limits.less(ELLIPSIS) if last else limits
        head = _head(text, room)
        if not head:
            break
        said.append(head.rstrip(" ,;:-") + ELLIPSIS if last else head.rstrip())
        text = harmless(text[len(head) :])
    return [each for each in said if each]


def _head(text: str, limits: Limits) -> str:
    """The longest beginning that fits: to a word's end where one is near, else to a character's."""
    if limits.characters <= 0 or limits.bytes <= 0:
        return ""
    head = text[: limits.characters].encode()[: limits.bytes].decode(errors="ignore")
    if len(head) < len(text):
        head = _cut(text, len(head))
        space = head.rfind(" ")
        if not text[len(head)].isspace() and space * 2 >= len(head) > 0:
            head = head[:space]
    return head


def _cut(text: str, longest: int) -> str:
    """At most so many characters, and none of them parted from the marks and joiners that belong to it."""
    end = min(longest, len(text))
    least = max(0, end - 32)
    while least < end < len(text) and (_goes_on(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end] if end > least or end == 0 else text[: min(longest, len(text))]


def _goes_on(character: str) -> bool:
    return bool(unicodedata.combining(character)) or character in _JOINS or "\U0001f3fb" <= character <= "\U0001f3ff"
