"""The words of a Markdown heading, read without a pattern that would try a long line at every place."""

from __future__ import annotations


def heading_of(line: str, deepest: int) -> str:
    """The words of a ``#`` heading down to a level, without the marks that close it; empty when it is none."""
    level = len(line[: deepest + 1]) - len(line[: deepest + 1].lstrip("#"))
    if not 1 <= level <= deepest or not line[level:].startswith((" ", "\t")):
        return ""
    return line[level:].strip(" \t").rstrip("#").rstrip(" \t")
