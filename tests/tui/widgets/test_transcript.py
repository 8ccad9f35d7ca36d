"""A talk by lines: longer than the screen, it is whole beside its scroll bar."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App, ComposeResult

from tui.widgets.transcript import TalkView, wrapped

TEXT = " ".join(f"{number:03}" for number in range(1, 91))


class Talked(App[None]):
    """Only a talk."""

    def compose(self) -> ComposeResult:
        yield TalkView()


@pytest.mark.parametrize("width", range(28, 36))
def test_no_letter_is_lost_beside_a_scroll_bar(width: int) -> None:
    async def run() -> str:
        app = Talked()
        async with app.run_test(size=(width, 8)) as pilot:
            view = app.query_one(TalkView)
            await pilot.pause()
            rows = wrapped(view.room, "Ada", TEXT, indent=5)
            assert len(rows) > 8
            view.show(rows, 0)
            seen = []
            for place in range(len(rows)):
                view.scroll_to(y=place, animate=False, force=True)
                await pilot.pause()
                top = app.screen._compositor.render_strips()[place - view.scroll_offset.y]
                seen.append("".join(segment.text for segment in top)[: width - 1])
        return " ".join(" ".join(seen).split())

    assert asyncio.run(run()) == f"Ada {TEXT}"
