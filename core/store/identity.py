"""Stable identities: the same content gives the same uid on every machine and after every restart."""

from __future__ import annotations

import hashlib
import json
import re


def content_uid(*parts: object) -> str:
    """16 hex digits over the parts, in order; JSON keeps their borders apart."""
    data = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()[:16]


def bare_words(text: str) -> list[str]:
    """The words of a text, case and punctuation aside: what two texts of the same words have in common."""
    return re.findall(r"\w+", text.casefold())


def row_number(reference: str, letters: str) -> int:
    """The row id in a short id such as ``m12``, or -1 when it is not one; always small enough for SQLite."""
    found = re.fullmatch(rf"{letters}([0-9]{{1,18}})", reference)
    return int(found[1]) if found else -1
