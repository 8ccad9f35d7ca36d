"""A list by lines: what is cut says so, beside a scroll bar too."""

from __future__ import annotations

import asyncio

from textual.app import App, ComposeResult

from tui.widgets.line_list import LineList


class Listed(App[None]):
    """Only a list."""

    def compose(self) -> ComposeResult:
        yield LineList()


def test_a_cut_row_ends_with_an_ellipsis_beside_a_scroll_bar() -> None:
    async def run() -> list[str]:
        app = Listed()
        async with app.run_test(size=(30, 5)) as pilot:
            app.query_one(LineList).fill(50, lambda place: [f"{place} 14 documents from 2009 to 2024"])
            await pilot.pause()
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            return ["".join(segment.text for segment in strip) for strip in strips]

    for row in asyncio.run(run()):
        assert len(row) == 30
        assert row[28] == "…"
