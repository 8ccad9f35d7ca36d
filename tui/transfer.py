"""How what travels between machines is told."""

from __future__ import annotations

from collections.abc import Mapping


def counted(before: str, counts: Mapping[str, int]) -> str:
    """Counts by noun after some words, or nothing where there are none."""
    told = ", ".join(f"{count:,} {noun}" for noun, count in counts.items())
    return f"{before} {told}" if told else ""
