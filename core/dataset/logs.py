"""Samples in the text-completion form: windows of whole conversations as they were, named lines of many speakers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.corpus.exchanges import is_named
from core.dataset.packing import Stretch
from core.prompts.log import Line, log_messages
from core.prompts.render import Renderer
from core.settings import Settings
from core.store.conversations import TurnRow


def log_lines(settings: Settings, target: str, turns: Sequence[TurnRow]) -> list[Line]:
    """What was said, under one name for the target; system lines, media and deleted ones are left out."""
    names = (*settings.target_names, target)
    said = [turn for turn in turns if turn.kind == "said" and turn.text.strip()]
    return [
        Line(target, turn.text, True) if is_named(turn.speaker, names) else Line(turn.speaker or "Someone", turn.text)
        for turn in said
    ]


def windows(renderer: Renderer, lines: Sequence[Line], max_tokens: int) -> Iterator[Stretch]:
    """Consecutive lines of up to ``max_tokens``, each with a line of the target; no line is in two windows.

    A line too long on its own is left out, and the log is cut there.
    """
    first, length = 0, 0
    for place, line in enumerate(lines):
        own = len(renderer.tokens(log_messages([line]))[0])
        if length + own > max_tokens:
            yield from _whole(renderer, lines[first:place], first)
            first, length = place, 0
        if own > max_tokens:
            first = place + 1
        else:
            length += own
    yield from _whole(renderer, lines[first:], first)


def _whole(renderer: Renderer, lines: Sequence[Line], first: int) -> Iterator[Stretch]:
    if any(line.mine for line in lines):
        messages = tuple(log_messages(lines))
        ids, labels = renderer.tokens(messages)
        yield Stretch(first, first + len(lines), (), messages, len(ids), sum(label != -100 for label in labels))
