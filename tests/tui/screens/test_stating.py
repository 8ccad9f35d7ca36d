"""What a person states in the talk: kept with its date, or refused in one line and left in the input."""

from __future__ import annotations

from typing import Any

from core.store.statements import statements
from core.workspace import Workspace


def test_a_fact_is_kept_since_its_date_and_a_date_that_is_none_is_refused(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        for words in ("/wrong I sold the boat. [since 2019-05]", "/wrong I sold the house. [since Tuesday]"):
            stage = seat.bench.stage_now()
            stage.field.value = words
            await seat.press("enter")
        await seat.until(lambda: "'Tuesday' is not a date" in seat.said)

    sit(workspace.root, "chat", work)
    assert [(row.text, row.date) for row in statements(workspace.database)] == [("I sold the boat.", "2019-05")]
