"""Workbenches on real terminals, each closed when its test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pty_terminal import COMMAND, Terminal


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def do(root: Path, *arguments: str, **options: Any) -> Terminal:
        terminal = Terminal([*COMMAND, "-w", str(root), *arguments], **options)
        opened.append(terminal)
        return terminal

    yield do
    for terminal in opened:
        terminal.close()
