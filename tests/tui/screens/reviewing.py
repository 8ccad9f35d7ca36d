"""What tests of the review screen look at."""

from __future__ import annotations

from typing import Any

from core.store.review_queue import MemoryCard, load_cards
from core.workspace import Workspace
from tui.screens.review.screen import ReviewScreen
from tui.widgets.card_view import CardView


def stage(seat: Any) -> ReviewScreen:
    """The review screen, which is at the front."""
    found = seat.bench.stage_now()
    assert isinstance(found, ReviewScreen)
    return found


def ids(seat: Any) -> list[int]:
    """The rows of the queue, in their order: negative for second looks."""
    walk = stage(seat).session.walk
    assert walk is not None
    return walk.ids


def row(seat: Any) -> int:
    """The row of the queue one stands at."""
    return ids(seat)[stage(seat).session.place]


def card(seat: Any) -> str:
    """What the card says."""
    return stage(seat).query_one(CardView).shown


def memory(workspace: Workspace, number: int) -> MemoryCard:
    """A memory as its card has it."""
    found = load_cards(workspace.database, "memory", [number])[number]
    assert isinstance(found, MemoryCard)
    return found
