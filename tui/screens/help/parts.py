"""The help as lines: the keys from the registry, the glyphs, how to leave, where things are, one's own keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tui.keys import EVERYWHERE, Action, Keymap, shown
from tui.widgets.frame import GLYPHS
from tui.widgets.text import Part

Row = list[Part]
KEY_CELLS = 14
PIPELINE_GLYPHS = {
    "✓": "done, ok, saved",
    "◐": "something waits for you", "↻": "older than what it is made from", "·": "nothing there",
    "!": "look at it", "⚠": "the text held hidden or control characters; they are shown as marks",
}  # fmt: skip
NOT_STATES = ("app",)


@dataclass(frozen=True, slots=True)
class HelpPart:
    """A heading and the lines under it."""

    name: str
    rows: tuple[Row, ...]


def help_parts(keymap: Keymap, first: str, width: int, workspace: Path | None, keys: Path) -> list[HelpPart]:
    """Everything, the keys of the screen one came from at the top."""
    screens = list(dict.fromkeys(action.where for action in keymap.actions if action.where not in NOT_STATES))
    if first in screens:
        screens.remove(first)
        screens.insert(0, first)
    leaving = (
        f"{_keys(keymap['app.leave'])} leaves an input or closes a box; {_keys(keymap['app.back'])} closes what is"
        f" open, then goes to the screen before; {_keys(keymap['app.quit'])} ends the workbench. What runs goes on,"
        " and nothing waits to be saved."
    )
    own = f'Keys of your own stand in {keys}, one line for an action by its id, such as "review.accept" = "enter".'
    more = "`simulee keys` prints every id. Two actions with one key are refused by name."
    parts = [HelpPart("How to leave", tuple(_wrapped(leaving, width)))]
    parts += [_keys_of(keymap, where, where.capitalize(), width) for where in screens[:1]]
    parts += [_keys_of(keymap, EVERYWHERE, "Everywhere", width)]
    parts += [_keys_of(keymap, where, where.capitalize(), width) for where in screens[1:]]
    parts += [
        HelpPart("In a list", tuple(_table([("j k ↑ ↓", "move"), ("pgup pgdn", "a page"), ("home end", "first, last"),
                                            ("enter", "open the row")], width))),
        HelpPart("Signs of the pipeline", tuple(_table(PIPELINE_GLYPHS.items(), width))),
        HelpPart("Signs of a run", tuple(_table(((glyph, state) for state, glyph in GLYPHS.items()), width))),
        HelpPart("Where things are kept", tuple(_table(_places(workspace), width))),
        HelpPart("Your own keys", (*_wrapped(own, width), *_wrapped(more, width))),
    ]  # fmt: skip
    return parts


def _places(workspace: Path | None) -> list[tuple[str, str]]:
    root = str(workspace) if workspace else "a workspace"
    return [
        ("workspace", root),
        ("persona.toml", "the settings, all optional"),
        ("persona.db", "all words, memories, decisions, vectors"),
        ("runs/", "long work: its log, its checkpoints"),
        ("adapters/", "what was trained"),
        ("exports/", "what was written out"),
        ("prompts/", "prompt files of your own, if you want"),
        ("workbench.json", "where you were on every screen"),
        ("workbench.log", "what went wrong in the workbench"),
    ]


def _keys_of(keymap: Keymap, where: str, name: str, width: int) -> HelpPart:
    rows = _table(((_keys(action), action.label) for action in keymap.actions if action.where == where), width)
    return HelpPart(name, tuple(rows))


def _keys(action: Action) -> str:
    return " ".join(map(shown, action.keys.split(",")))


def _table(pairs: Iterable[tuple[str, str]], width: int) -> list[Row]:
    rows: list[Row] = []
    for left, right in pairs:
        lines = textwrap.wrap(right, max(8, width - KEY_CELLS - 3)) or [""]
        rows.append([(f"  {left:<{KEY_CELLS}} ", "bold $accent"), lines[0]])
        rows += [[" " * (KEY_CELLS + 3), line] for line in lines[1:]]
    return rows


def _wrapped(text: str, width: int) -> list[Row]:
    return [["  " + line] for line in textwrap.wrap(text, max(8, width - 2))]
