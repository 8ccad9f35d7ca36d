"""The frame: target and runs above, the pipeline as tabs, what was said last, and the keys of this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.widget import Widget

from tui.keys import EVERYWHERE, GO_KEYS
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture
    from tui.app import Workbench
    from tui.screens.stage import Stage

STAGES = ("overview", "import", "review", "dataset", "train", "evaluate", "chat", "journal")
GLYPHS = {"running": "●", "queued": "○", "done": "✓", "failed": "✗", "cancelled": "–", "lost": "!"}
"""A run's state as one character; the word always stands beside it."""
_SAID = {"good": "$success", "warning": "$warning", "error": "$error"}


def bench_of(widget: Widget) -> Workbench:
    """The app, with its own type."""
    return cast("Workbench", widget.app)


def duration(seconds: float) -> str:
    """Short and honest: ``40s``, ``3m``, ``2h``."""
    if seconds < 90:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 5400 else f"{seconds / 3600:.1f}h"


def run_words(picture: RunPicture) -> str:
    """A run in a few words: what it is, how far, how long still."""
    if picture.state != "running":
        return f"{GLYPHS[picture.state]} {picture.id} {picture.state}"
    share = f" {picture.share:.0%}" if picture.total else ""
    left = f" · {duration(picture.seconds_left)}" if picture.seconds_left >= 1 else ""
    return f"● {picture.id} running{share}{left}"


class Banner(Words):
    """The first line: the target's name, and what runs."""

    def on_mount(self) -> None:
        self.show_now()

    def on_resize(self, event: events.Resize) -> None:
        self.show_now()

    def show_now(self) -> None:
        """Draw what the app knows now."""
        bench = bench_of(self)
        width = max(0, _width(self) - 1)
        name = f" simulee · {bench.target}" if bench.target else " simulee"
        running = [run_words(each) for each in bench.pictures if each.state == "running" and each.kind != "serve"]
        right = "   ".join(running[:2]) + (f" +{len(running) - 2}" if len(running) > 2 else "")
        gap = max(2, width - len(name) - len(right))
        self.put((name, "bold"), " " * gap, (right, "$accent"), layout=False)


class Tabs(Words):
    """The pipeline as a row: each stage with its count."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.show_now()

    def on_resize(self, event: events.Resize) -> None:
        self.show_now()

    def show_now(self) -> None:
        """Draw what the app knows now; without room, the counts go first, then the spaces."""
        counts, width = bench_of(self).tab_counts, _width(self)
        for with_counts, gap in ((True, "  "), (True, " "), (False, "  "), (False, " ")):
            labels = [
                stage.capitalize() + (f" {counts[stage]}" if with_counts and counts.get(stage) else "")
                for stage in STAGES
            ]
            if self._current not in STAGES:
                labels.append(self._current.capitalize())
            if len(gap.join(labels)) + 2 <= width:
                break
        here = STAGES.index(self._current) if self._current in STAGES else len(STAGES)
        first = 0
        while first < here and len(gap.join(labels[first : here + 1])) + 2 > width:
            first += 1  # Without room for all, the one where one is stays in sight.
        parts: list[Part] = [" "]
        self._spans = []
        column = 1
        for stage, label in [*zip(STAGES, labels, strict=False)][first:]:
            parts += [(label, "bold underline $primary" if stage == self._current else "$quiet"), gap]
            self._spans.append((column, column + len(label), stage))
            column += len(label) + len(gap)
        if self._current not in STAGES:
            parts.append((self._current.capitalize(), "bold underline $primary"))
        self.put(*parts, layout=False)

    def on_click(self, event: events.Click) -> None:
        """A click on a stage goes there."""
        for start, stop, stage in self._spans:
            if start <= event.x < stop:
                bench_of(self).go_to(stage)


class StatusLine(Words):
    """What was said last: rarely more than a few words, never a pop-up."""

    def say(self, text: str, kind: str = "") -> None:
        """Say it until something else is said."""
        glyph = {"good": "✓ ", "warning": "! ", "error": "✗ "}.get(kind, "")
        self.put((" " + glyph + " ".join(text.split()), _SAID.get(kind, "$quiet")), layout=False)


class KeyLine(Words):
    """The keys of this moment, from the registry: as many as fit."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def on_mount(self) -> None:
        self.show_keys()

    def on_resize(self, event: events.Resize) -> None:
        self.show_keys()

    def show_keys(self) -> None:
        """Draw them again."""
        screen = cast("Stage", self.screen)
        bench = bench_of(self)
        room = _width(self) - 1
        parts: list[Part] = []
        nowhere = bench.is_nowhere
        wanted = (lambda name: not screen.needs_workspace(name)) if nowhere else screen.shown_actions()
        leave = bench.keymap["app.leave"].shown_key
        listed = [(leave, "leave the input")] if screen.is_writing() else []
        for action in bench.keymap.of(self._where):
            typed = (len(action.shown_key) == 1 or action.shown_key == "space") and screen.is_writing()
            if action.footer and not typed and (action.where == EVERYWHERE or wanted is None or wanted(action.name)):
                listed.append((action.shown_key, action.label))
        rest = (bench.keymap["app.keys"].shown_key, bench.keymap["app.keys"].label)
        if rest in listed and sum(map(_cells, listed)) > room:  # What has no room is behind this one.
            listed.remove(rest)
            room -= _cells(rest)
        else:
            rest = ("", "")
        for place, pair in enumerate(listed):
            room -= _cells(pair)
            if room < 0:
                del listed[place:]
                break
        for key, label in [*listed, *([rest] if rest[0] else [])]:
            parts += [" ", (key, "bold $accent"), " " + label, " "]
        self.put(*parts, layout=False)


def _width(widget: Widget) -> int:
    """The columns of a line of the frame; before its first layout, those of the terminal."""
    return widget.size.width or widget.app.size.width


def _cells(pair: tuple[str, str]) -> int:
    """The room that a key and its label take in the footer."""
    return len(pair[0]) + len(pair[1]) + 3


def go_lines() -> list[tuple[str, str]]:
    """The which-key box: second key and where it goes."""
    return [(key, name.capitalize()) for key, name in GO_KEYS.items()]
