"""Preference pairs as they travel: JSON lines of prompt, chosen, rejected; a line that is none of these is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UsageError

LARGEST_LINE = 1 << 20
"""Characters of one line that are read."""


@dataclass(frozen=True, slots=True)
class PairLine:
    """One pair as a file has it."""

    question: str
    prompt: str
    """As the model read it; empty where the line has a question alone."""
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class PairFile:
    """What a file holds."""

    pairs: tuple[PairLine, ...]
    refused: tuple[str, ...]
    """Line and reason."""


def read_pairs(path: Path) -> PairFile:
    """The pairs of a file of JSON lines: prompt, chosen, rejected; each a text or a chat of one message.

    Raises UsageError when the file cannot be read.
    """
    pairs, refused = [], []
    for number, line in _lines(path):
        try:
            pairs.append(pair_of(line))
        except ValueError as error:
            refused.append(f"line {number}: {error}")
    return PairFile(tuple(pairs), tuple(refused))


def pair_of(line: str) -> PairLine:
    """The pair in one line. Raises ValueError with the reason."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(values, dict):
        raise ValueError("not an object")
    prompt, chosen, rejected = (_said(values.get(name), name) for name in ("prompt", "chosen", "rejected"))
    if chosen == rejected:
        raise ValueError("chosen and rejected are the same")
    question = values.get("question")
    if isinstance(question, str) and question.strip():
        asked = storable(question)
        return PairLine(asked, "" if asked == prompt else prompt, chosen, rejected)
    return PairLine(prompt, "", chosen, rejected)


def storable(text: str) -> str:
    """What can be stored: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            number = 0
            while line := file.readline(LARGEST_LINE):
                number += 1
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a file of JSON lines") from None


def _said(value: Any, name: str) -> str:
    """A text, or the only message of a chat. A longer chat is none: what its other messages say would be lost, and how
    a base reads them is said by its template, in a prompt that is a text."""
    if isinstance(value, list) and len(value) > 1:
        raise ValueError(f"{name} is a chat of {len(value)} messages: write it as one text, as the model reads it")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0].get("content")
    said = storable(value) if isinstance(value, str) else ""
    if not said:
        raise ValueError(f"no {name}")
    return said
