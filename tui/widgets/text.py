"""The gate for text in screens: every widget that shows words is here, and cleans them.

Nothing outside this module makes a ``Content`` or uses Textual's own text widgets; a test says so. A filter over the
painted lines stands behind the gate, for what a library's own widget might let through.
"""

from __future__ import annotations

import re
from typing import Any

from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.strip import Strip
from textual.style import Style
from textual.widgets import Static

from tui.safe_text import is_hidden, safe

Part = str | tuple[str, str] | Content
"""Words, or words with a style such as ``bold $success``."""
HIDDEN_BADGE = "⚠\u00a0hidden\u00a0characters"
LONGEST = 20_000
"""Characters of one text that a screen lays out; the rest is cut with a mark."""


def line(*parts: Part) -> Content:
    """One line of words and styles, cleaned."""
    return Content.assemble(*(_cleaned(part, safe_line_kept) for part in parts), strip_control_codes=False)


def words(*parts: Part) -> Content:
    """Words and styles over as many lines as they have, cleaned."""
    return Content.assemble(*(_cleaned(part, safe) for part in parts), strip_control_codes=False)


def safe_line_kept(text: str) -> str:
    """On one line, with the spaces at both ends kept: parts are put side by side."""
    return safe(text[:LONGEST]).replace("\n", " ").replace("\t", " ")


def badge(*texts: str) -> tuple[str, str]:
    """A mark beside texts that held hidden or control characters, else nothing."""
    return (f" {HIDDEN_BADGE}", "$warning") if any(map(is_hidden, texts)) else ("", "")


def _cleaned(part: Part, clean: Any) -> Content:
    if isinstance(part, Content):
        return part
    text, style = part if isinstance(part, tuple) else (part, "")
    shown = clean(text[:LONGEST]) + (" …" if len(text) > LONGEST else "")
    return Content.styled(shown, style, strip_control_codes=False) if style else Content(shown)


def joined(separator: str, contents: list[Content]) -> Content:
    """Contents side by side."""
    return Content(separator).join(contents)


def strip_of(content: Content, width: int, style: Style) -> Strip:
    """One painted line, cut or filled to a width in cells."""
    fitted = content.truncate(width, ellipsis=True, pad=True)
    segments = fitted.render_segments(style)
    return Strip(segments, width)


class Words(Static):
    """Shows words. ``put`` replaces them, and repaints only when they differ."""

    def __init__(self, *parts: Part, id: str | None = None, classes: str | None = None) -> None:
        self._words = words(*parts)
        super().__init__(self._words, markup=False, id=id, classes=classes)

    @property
    def shown(self) -> str:
        """What is shown, without styles."""
        return self._words.plain

    def put(self, *parts: Part, layout: bool = True) -> None:
        """Show these words. ``layout`` off when the size cannot change."""
        fresh = words(*parts)
        if fresh.is_same(self._words):
            return
        self._words = fresh
        self.update(fresh, layout=layout)


class PaintedText(LineFilter):
    """Behind the gate: no painted line carries an acting character, whoever made it."""

    _plain = re.compile(r"[ -~]*")

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, with marks for what could act."""
        if all(segment.control or self._plain.fullmatch(segment.text) for segment in segments):
            return segments
        return [
            segment
            if segment.control or _stays_on_its_line(segment.text)
            else Segment(safe(segment.text).replace("\n", "␊").replace("\t", " "), segment.style)
            for segment in segments
        ]


def _stays_on_its_line(painted: str) -> bool:
    """A line feed and a tab stay in words, and have no place in a painted line."""
    return not ("\n" in painted or "\t" in painted or is_hidden(painted))
