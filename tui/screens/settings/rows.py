"""The rows of the settings: engines, what persona.toml says, and the workbench's own choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.models.roles import RoleState
    from core.settings import EffectiveSetting

Row = list[Part]
SAID, DEFAULT = ("● persona.toml", "$accent"), ("· default", "$quiet")
VALUE_CELLS = 34
OPEN = {"training": "by the preset", "retriever": "by what is trained"}
"""What decides a setting that is left open."""


def engine_rows(states: Sequence[RoleState]) -> list[Row]:
    """Each role with its engine, and what that needs."""
    rows: list[Row] = [_heading("Engines", "who plays each role, and what it needs")]
    for state in states:
        mark = ("✓ ok  ", "$success") if state.ok else ("✗ not ok  ", "$error")
        name = f"{state.engine} {state.model}".strip()
        rows.append([f"  {state.role:<10}", mark, name, (f" · {state.detail}" if state.detail else "", "$quiet")])
    return rows


def setting_rows(settings: Sequence[EffectiveSetting]) -> list[Row]:
    """Every setting by section, with its value and where that was said."""
    rows: list[Row] = []
    section = None
    for setting in settings:
        if setting.section != section:
            section = setting.section
            rows += [[""], _heading(section.capitalize() or "Target", f"[{section}]" if section else "")]
        value = setting.value or OPEN.get(setting.section, "not set")
        shown = value if len(value) <= VALUE_CELLS else value[: VALUE_CELLS - 1] + "…"
        rows.append([f"  {setting.key:<18} ", f"{shown:<{VALUE_CELLS}}  ", SAID if setting.said else DEFAULT])
    return rows


def own_rows(theme: str, reduced: bool, mouse: bool, keys: str, kept: bool) -> list[Row]:
    """The workbench's own choices; without a workspace they are ``kept`` nowhere."""
    note = "kept for this workspace" if kept else "until you leave: a workspace would keep them"
    return [
        _heading("Workbench", f"{note}; keys for all"),
        [f"  {'theme':<18} ", theme],
        [f"  {'reduced motion':<18} ", "on" if reduced else "off"],
        [f"  {'mouse':<18} ", "on" if mouse else "off: the terminal marks and copies"],
        [f"  {'your keys':<18} ", keys],
        [""],
    ]


def _heading(name: str, note: str) -> Row:
    return [(name, "bold"), (f"  {note}" if note else "", "$quiet")]
