"""NO_COLOR: not one color reaches the terminal, and what is chosen is seen all the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.review.decisions import Actor, Decision, decide
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal
from tests.review_rows import fill

STYLE = re.compile(rb"\x1b\[([0-9;]*)m")
COLOR = re.compile(r"^(?:[34][0-8]|9[0-7]|10[0-7])$")


def colors(output: bytes) -> set[str]:
    """The codes that set a color; those that go back to the terminal's own are none."""
    return {code for found in STYLE.findall(output) for code in found.decode().split(";") if COLOR.match(code)}


@pytest.fixture
def without_color(workspace: Workspace) -> Iterator[Callable[..., Terminal]]:
    fill(workspace.database, 60)
    decide(workspace.database, Actor("person", "Nell"), [Decision("m000001", "accept")])
    opened: list[Terminal] = []

    def do(screen: str, **options: Any) -> Terminal:
        command = [*COMMAND, "-w", str(workspace.root), "--screen", screen]
        opened.append(Terminal(command, **({"NO_COLOR": "1"} | options)))
        return opened[-1]

    yield do
    for terminal in opened:
        terminal.close()


def reversed_words(terminal: Terminal) -> str:
    """What is painted reversed."""
    cells = [terminal.screen.buffer[y][x] for y in range(24) for x in range(80)]
    return "".join(cell.data for cell in cells if cell.reverse)


def test_no_color_is_written_and_what_is_chosen_is_reversed(without_color: Callable[..., Terminal]) -> None:
    terminal = without_color("settings")
    terminal.wait_for("reduced motion")
    terminal.settle()
    assert "Workbench" in reversed_words(terminal)
    terminal.type("jj")
    terminal.settle()
    assert "reduced motion" in reversed_words(terminal)
    terminal.type("\x1bOS")
    terminal.wait_for("1/60")
    for keys in ("a", "l", "\x1b", "?", "\x1b", "/salt", "\x1b", "e", "\x1b", ":rec", "\x1b", "gd", "gt", "ge", "gc"):
        terminal.type(keys)
        terminal.settle()
    assert colors(bytes(terminal.output)) == set()


def test_the_place_in_an_input_is_seen(without_color: Callable[..., Terminal]) -> None:
    terminal = without_color("review")
    terminal.wait_for("1/60")
    terminal.settle()
    assert reversed_words(terminal) == ""
    terminal.type("/salt")
    terminal.wait_for("salt")
    terminal.settle()
    assert reversed_words(terminal) == " "
    terminal.type("\x1b")
    terminal.settle()
    terminal.type("e")
    terminal.settle()
    assert len(reversed_words(terminal)) == 1


def test_an_empty_no_color_asks_for_nothing(without_color: Callable[..., Terminal]) -> None:
    terminal = without_color("review", NO_COLOR="")
    terminal.wait_for("1/60")
    assert colors(bytes(terminal.output))
