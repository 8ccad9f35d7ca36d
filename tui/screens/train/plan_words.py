"""The plan of a run as words, with the key of everything that can be chosen."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap

from tui.keys import GO_KEYS
from tui.screens.train.plan import METHODS, Prepared
from tui.widgets.text import Part

CHOSEN_BY = {
    "method": "method", "dataset": "dataset", "base": "base", "from": "base", "scored by": "base", "preset": "preset",
    "loss": "loss",
}  # fmt: skip
"""A row of the plan, and the action that changes it."""
RESULTS_FROM = ("tokens", "embedder")
"""The first of the rows that follow from what is chosen."""


INDENT = 15
"""Columns before what a row says."""


def plan_parts(prepared: Prepared, key: Callable[..., str], width: int, remark: str = "") -> list[Part]:
    """The plan as words; ``key`` is the screen's, for an action and where it is, ``width`` the columns there are."""
    changeable = {row: action for row, action in CHOSEN_BY.items() if _can_choose(prepared, row)}
    method = ("method", f"{prepared.method} · {METHODS[prepared.method]}")
    parts: list[Part] = [("Prepare a run", "bold"), "\n\n"]
    for what, how_much in (method, *prepared.rows):
        if what in RESULTS_FROM:
            parts.append("\n")
        pressed = key(changeable[what]) if what in changeable else " "
        parts += [(f"  {pressed:<2} ", "bold $accent"), (f"{what:<10}", "bold"), _within(how_much, width), "\n"]
    if not prepared.is_ready:
        parts += [*_problem(prepared, key)]
    else:
        for warning in prepared.warnings:
            parts += [("\n  ! ", "$warning"), warning]
        parts += [
            ("\n\n  " if prepared.warnings else "\n  "),
            (f"{key('start')}  ", "bold $accent"),
            "starts it. It goes on without this terminal, and can stop and resume.",
        ]
        if prepared.method == "retriever":
            parts.append("\n     Searches use what it makes where validation gains by it.")
    if remark:
        parts += ["\n\n  ", (remark, "$quiet")]
    return parts


def _within(text: str, width: int) -> str:
    """A row's words under each other where they are too many for one line."""
    return f"\n{'':{INDENT}}".join(wrap(text, max(20, width - INDENT)))


def _can_choose(prepared: Prepared, row: str) -> bool:
    choices = {"preset": prepared.presets, "loss": prepared.losses, "dataset": prepared.datasets}
    return row not in choices or len(choices[row]) > 1 or (row == "dataset" and bool(prepared.datasets))


def _problem(prepared: Prepared, key: Callable[..., str]) -> list[Part]:
    """Why nothing can start, and the keys that help; where none does, what to do."""
    parts: list[Part] = [("\n  ! ", "$warning"), prepared.problem]
    seconds = {screen: second for second, screen in GO_KEYS.items()}
    for each in prepared.helps:
        then = f" {key(each.action, each.screen)}" if each.action else ""
        pressed = f"{key('go', 'app')} {seconds[each.screen]}{then}"
        parts += [("\n    " + pressed, "bold $accent"), f"  {each.screen.capitalize()}: {each.words}"]
    if not prepared.helps and prepared.hint:
        parts += ["\n    ", (prepared.hint, "$quiet")]
    return parts
