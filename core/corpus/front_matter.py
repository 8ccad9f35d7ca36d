"""Front matter of notes: read as text only, so that a date stays as it was written, and never at the note's expense."""

from __future__ import annotations

import re
from dataclasses import dataclass

import frontmatter
import yaml

from core.corpus.decoding import storable

_HANDLER = frontmatter.YAMLHandler()
_LONGEST = 64 << 10
_PLAIN_LINE = re.compile(r"^([A-Za-z][\w -]{0,40}?)\s*:\s+(.+)$")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stands between the first two ``---`` lines of a note, and the note after it."""

    values: dict[str, str | tuple[str, ...]]
    """By casefolded key; nested values are left out."""
    body: str
    problem: str = ""
    """Why the front matter could not be read as YAML; its plain ``key: value`` lines were read instead."""

    def text(self, *keys: str) -> str:
        """The first of these keys that holds text, or an empty string."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words, written as a list or with commas."""
        value = self.values.get(key, ())
        if isinstance(value, str):
            value = tuple(value.split(","))
        return tuple(word.strip().lstrip("#") for word in value if word.strip().lstrip("#"))


def read_front_matter(text: str) -> FrontMatter:
    """Part a note into its front matter and its body; a note without any is all body."""
    if not _HANDLER.detect(text):
        return FrontMatter({}, text)
    try:
        header, body = _HANDLER.split(text)
    except ValueError:
        return FrontMatter({}, text)
    if len(header) > _LONGEST:
        return FrontMatter({}, text)
    try:
        # BaseLoader leaves every scalar a string: no dates out of range, no endless integers, no octal years.
        loaded = _HANDLER.load(header, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else _first_line(error)
        return FrontMatter(_plain_lines(header), body, f"front matter is not valid YAML ({reason})")
    if loaded is None or loaded == "":
        return FrontMatter({}, body)
    if not isinstance(loaded, dict):
        # Two horizontal rules around prose, not front matter.
        return FrontMatter({}, text)
    return FrontMatter({str(key).casefold(): kept for key, value in loaded.items() if (kept := _kept(value))}, body)


def _kept(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return tuple(storable(item) for item in value if isinstance(item, str))
    return ""


def _plain_lines(header: str) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, str | tuple[str, ...]] = {}
    for line in header.split("\n"):
        found = _PLAIN_LINE.match(line)
        if found:
            values.setdefault(found[1].casefold(), found[2].strip().strip("\"'"))
    return values


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error)
    return storable(str(problem).split("\n")[0][:120]) or type(error).__name__
