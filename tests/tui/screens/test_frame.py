"""The frame: the keys below, the tabs above, and going back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.workspace import Workspace
from tests.review_rows import fill

Sit = Callable[..., None]


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, 60)
    return workspace


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
def test_the_key_that_shows_every_key_is_there_when_not_all_have_room(
    queue: Workspace, sit: Sit, size: tuple[int, int]
) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "accept" in seat.painted[-1])
        assert "? keys" in seat.painted[-1]

    sit(queue.root, "review", work, size=size)


def test_keys_that_write_are_not_told_while_one_writes(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "space later" in seat.painted[-1])
        await seat.press("e")
        assert "leave the input" in seat.painted[-1]
        assert "space" not in seat.painted[-1]
        assert "? keys" not in seat.painted[-1]

    sit(queue.root, "review", work)


@pytest.mark.parametrize("screen", ["overview", "chat", "settings", "help"])
@pytest.mark.parametrize("width", [80, 40, 24])
def test_the_tab_one_is_at_is_in_sight(queue: Workspace, sit: Sit, screen: str, width: int) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: bool(seat.bench.tab_counts))
        assert screen.capitalize() in seat.painted[1]

    sit(queue.root, screen, work, size=(width, 12))


def test_going_back_from_the_first_screen_says_how_to_leave(queue: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("q")
        assert "^q ends the workbench" in seat.said

    sit(queue.root, "overview", work)
